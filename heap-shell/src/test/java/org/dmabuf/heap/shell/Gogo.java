// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import org.apache.felix.gogo.runtime.CommandProcessorImpl;
import org.apache.felix.service.command.CommandSession;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.spi.DeviceProbe;
import org.dmabuf.heap.spi.HeapVerifier;
import org.jline.terminal.Terminal;
import org.jline.terminal.impl.DumbTerminal;

/** Session of the real Gogo, with the commands on buffers and devices. */
final class Gogo implements AutoCloseable {
    private final CommandProcessorImpl processor = new CommandProcessorImpl();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final CommandSession session;
    private final DeviceCommands devices;
    private final VerifyCommand verify;

    Gogo(HeapBroker broker) {
        this(broker, new NamedBuffers(broker));
    }

    Gogo(HeapBroker broker, NamedBuffers buffers) {
        devices = new DeviceCommands(broker);
        BufferCommands commands = new BufferCommands(broker, buffers);
        for (String name : new String[] {"alloc", "load", "buffers", "free", "sum", "save", "fill", "hexdump"}) {
            processor.addCommand("dmaheap", commands, name);
        }
        HandOverCommands handOver = new HandOverCommands(broker, buffers);
        for (String name : new String[] {"share", "send", "receive"}) {
            processor.addCommand("dmaheap", handOver, name);
        }
        for (String name : new String[] {"constraints", "probe"}) {
            processor.addCommand("dmaheap", devices, name);
        }
        processor.addCommand("dmaheap", new OciCommand(), "oci-profile");
        verify = new VerifyCommand(broker);
        processor.addCommand("dmaheap", verify, "verify");
        session = processor.createSession(
                new ByteArrayInputStream(new byte[0]), new PrintStream(out, true), new PrintStream(err, true));
    }

    /** Installs bundles that probe devices. */
    Gogo with(DeviceProbe... probes) {
        devices.probes = List.of(probes);
        return this;
    }

    /** Installs the test kit. */
    Gogo with(HeapVerifier kit) {
        verify.verifier = kit;
        return this;
    }

    CommandSession session() {
        return session;
    }

    /** Gives the session a terminal, as Gogo's shell does. */
    Terminal onTerminal() throws IOException {
        Terminal terminal = new DumbTerminal(new ByteArrayInputStream(new byte[0]), new ByteArrayOutputStream());
        session.put(CtrlC.TERMINAL, terminal);
        session.put("TERM", "xterm");
        return terminal;
    }

    /** {@return the output of a line} The line returns no object: Gogo would print that only at the end of a line. */
    String run(String line) throws Exception {
        out.reset();
        assertEquals(null, session.execute(line));
        return out.toString(StandardCharsets.UTF_8).stripTrailing();
    }

    /** {@return the result of work that may wait, on a thread of its own} */
    static <T> CompletableFuture<T> meanwhile(Callable<T> work) {
        CompletableFuture<T> result = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                result.complete(work.call());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    /** {@return the message with which a line is refused} */
    String refusal(String line) {
        return assertThrows(CommandFailure.class, () -> session.execute(line), line)
                .toString();
    }

    /** {@return the message with which a line of another session is refused} */
    String refusalElsewhere(String line) {
        try (CommandSession other = processor.createSession(
                new ByteArrayInputStream(new byte[0]), new PrintStream(out, true), new PrintStream(err, true))) {
            return assertThrows(CommandFailure.class, () -> other.execute(line), line)
                    .toString();
        }
    }

    /** {@return the output since the last line that {@link #run} ran} */
    String printed() {
        return out.toString(StandardCharsets.UTF_8);
    }

    /** {@return the standard error of the commands} */
    String said() {
        return err.toString(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        session.close();
        processor.stop();
    }
}
