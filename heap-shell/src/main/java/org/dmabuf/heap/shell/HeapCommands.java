// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.text.Bytes;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/**
 * The commands of scope {@code dmaheap}. They return objects; {@link HeapConverter} says how those look. Positional
 * arguments are taken as they come and checked here, because Gogo's own refusal speaks of coercion and not of what was
 * expected.
 *
 * <p>Immediate, because Gogo gets and ungets the service for each command: a delayed component would lose its buffers.
 */
@Component(
        immediate = true,
        service = HeapCommands.class,
        property = {
            "osgi.command.scope=dmaheap",
            "osgi.command.function=alloc",
            "osgi.command.function=load",
            "osgi.command.function=buffers",
            "osgi.command.function=free",
            "osgi.command.function=sum",
            "osgi.command.function=share",
            "osgi.command.function=receive"
        })
public final class HeapCommands {
    /** The kernel's limit for the name of a dma-buf, without its NUL. */
    private static final int NAME_BYTES = 31;

    private static final Pattern WITH_EMULATIONS = Pattern.compile("withEmulations\\(\"([^)]*)\"\\)");

    private final HeapBroker broker;
    private final FileLoader loader;
    private final HandOver handOver;
    private final NamedBuffers buffers = new NamedBuffers();

    /**
     * Commands over a broker.
     *
     * @param broker the shell's view of it
     */
    @Activate
    public HeapCommands(@Reference HeapBroker broker) {
        this.broker = broker;
        this.loader = new FileLoader(broker);
        this.handOver = new HandOver(broker);
    }

    @Deactivate
    void stop() {
        handOver.endWaits();
        buffers.closeAll();
    }

    /**
     * Allocates a buffer that the shell holds.
     *
     * @return the buffer
     */
    @Descriptor("allocate a buffer, which the shell holds until it is freed")
    public BufferInfo alloc(
            @Descriptor("names of heaps to ask in turn, separated by commas")
                    @Parameter(
                            names = {"-h", "--heap"},
                            absentValue = "")
                    String heaps,
            @Descriptor("heap ids as bits, such as 0x5")
                    @Parameter(
                            names = {"-m", "--mask"},
                            absentValue = "")
                    String mask,
            @Descriptor("what the heap must be able to do, such as '(heap.dmabuf=true)'")
                    @Parameter(
                            names = {"-r", "--requiring"},
                            absentValue = "")
                    String requirement,
            @Descriptor("emulations that will do, separated by commas, such as contiguous")
                    @Parameter(
                            names = {"-e", "--emulated"},
                            absentValue = "")
                    String emulated,
            @Descriptor("the buffer's name")
                    @Parameter(
                            names = {"-n", "--name"},
                            absentValue = "")
                    String name,
            @Descriptor("alignment, such as 64K")
                    @Parameter(
                            names = {"-a", "--align"},
                            absentValue = "1")
                    String alignment,
            @Descriptor("receivers of its descriptor can only read")
                    @Parameter(
                            names = {"--read-only"},
                            presentValue = "true",
                            absentValue = "false")
                    boolean readOnly,
            @Descriptor("it needs no descriptor")
                    @Parameter(
                            names = {"--no-export"},
                            presentValue = "true",
                            absentValue = "false")
                    boolean noExport,
            @Descriptor("SIZE, such as 4096, 64K or 8M") String... arguments) {
        return plainly(() -> {
            String size = expect(1, arguments, "alloc [options] SIZE")[0];
            String own = name.isEmpty() ? buffers.freshName() : name;
            buffers.requireFree(own);
            AllocationRequest request = routed(AllocationRequest.of(Bytes.parse(size)), heaps, mask)
                    .withAlignment(Bytes.parse(alignment))
                    .withExport(export(readOnly, noExport))
                    .withName(own);
            if (!requirement.isEmpty()) {
                request = request.withRequirement(requirement);
            }
            DmaBuf buffer = broker.allocate(emulating(request, emulated));
            return buffers.keep(own, buffer, buffer.size());
        });
    }

    /**
     * Loads a file into a new buffer and reads it back through the mapping and through an exported descriptor.
     *
     * @return the buffer and both checksums
     */
    @Descriptor("load a file's bytes into a new buffer, and check them through mapping and descriptor")
    public LoadedFile load(
            CommandSession session,
            @Descriptor("names of heaps to ask in turn, separated by commas")
                    @Parameter(
                            names = {"-h", "--heap"},
                            absentValue = "")
                    String heaps,
            @Descriptor("emulations that will do, separated by commas, such as contiguous")
                    @Parameter(
                            names = {"-e", "--emulated"},
                            absentValue = "")
                    String emulated,
            @Descriptor("the buffer's name; the file's by default")
                    @Parameter(
                            names = {"-n", "--name"},
                            absentValue = "")
                    String name,
            @Descriptor("receivers of its descriptor can only read")
                    @Parameter(
                            names = {"--read-only"},
                            presentValue = "true",
                            absentValue = "false")
                    boolean readOnly,
            @Descriptor("FILE") String... arguments) {
        return plainly(() -> {
            Path file = session.currentDir().resolve(expect(1, arguments, "load [options] FILE")[0]);
            long bytes = FileLoader.sizeOf(file);
            String own = name.isEmpty() ? nameOf(file) : name;
            buffers.requireFree(own);
            AllocationRequest request = routed(AllocationRequest.of(bytes), heaps, "")
                    .withExport(export(readOnly, false))
                    .withName(own);
            DmaBuf buffer = loader.load(file, emulating(request, emulated));
            boolean kept = false;
            try {
                String byMapping = FileLoader.sha256ByMapping(buffer, bytes);
                String byDescriptor = FileLoader.sha256ByDescriptor(buffer, bytes);
                if (!byMapping.equals(byDescriptor)) {
                    throw new IOException(file + ": its bytes have SHA-256 " + byMapping + " through the mapping and "
                            + byDescriptor + " through the descriptor; the buffer was freed");
                }
                LoadedFile loaded = new LoadedFile(buffers.keep(own, buffer, bytes), bytes, byMapping, byDescriptor);
                kept = true;
                return loaded;
            } finally {
                if (!kept) {
                    buffer.close();
                }
            }
        });
    }

    /**
     * Lists the buffers of the shell.
     *
     * @param arguments none
     * @return each with its name
     */
    @Descriptor("list the buffers that the shell holds")
    public List<BufferInfo> buffers(@Descriptor("nothing") String... arguments) {
        return plainly(() -> {
            expect(0, arguments, "buffers");
            return scriptable(buffers.list());
        });
    }

    /**
     * Frees a buffer of the shell.
     *
     * @param arguments its name
     */
    @Descriptor("free a buffer that the shell holds")
    public void free(@Descriptor("NAME") String... arguments) {
        plainly(() -> {
            buffers.free(expect(1, arguments, "free NAME")[0]);
            return null;
        });
    }

    /**
     * Sums what is in a buffer.
     *
     * @param arguments its name
     * @return the checksum of the bytes that mean something
     */
    @Descriptor("print the SHA-256 of what is in a buffer")
    public Checksum sum(@Descriptor("NAME") String... arguments) {
        return plainly(() -> {
            String name = expect(1, arguments, "sum NAME")[0];
            try (HeldBuffer held = buffers.borrow(name)) {
                return new Checksum(name, held.content(), FileLoader.sha256ByMapping(held.buffer(), held.content()));
            }
        });
    }

    /**
     * Gives a buffer's descriptor to one process that connects.
     *
     * @return who has it now
     */
    @Descriptor("wait on a socket for another process and give it a buffer's descriptor")
    public HandedOver share(
            CommandSession session,
            @Descriptor("seconds to wait for it; 30 by default")
                    @Parameter(
                            names = {"-t", "--timeout"},
                            absentValue = "30")
                    String seconds,
            @Descriptor("NAME SOCKET") String... arguments) {
        return plainly(() -> {
            String[] words = expect(2, arguments, "share [options] NAME SOCKET");
            try (HeldBuffer held = buffers.borrow(words[0])) {
                Path socket = socket(session, words[1]);
                PeerCredentials peer = handOver.share(held, words[0], socket, timeout(seconds));
                return new HandedOver(BufferInfo.of(words[0], held.buffer()), held.content(), peer, true);
            }
        });
    }

    /**
     * Adopts the buffer that another process offers.
     *
     * @return the buffer, which the shell holds
     */
    @Descriptor("connect to the socket of another process and adopt the buffer that it sends")
    public HandedOver receive(
            CommandSession session,
            @Descriptor("seconds to wait for it; 30 by default")
                    @Parameter(
                            names = {"-t", "--timeout"},
                            absentValue = "30")
                    String seconds,
            @Descriptor("the buffer's name here; the sender's by default")
                    @Parameter(
                            names = {"-n", "--name"},
                            absentValue = "")
                    String name,
            @Descriptor("SOCKET") String... arguments) {
        return plainly(() -> {
            Path socket = socket(session, expect(1, arguments, "receive [options] SOCKET")[0]);
            buffers.requireFree(name);
            HandOver.Received received = handOver.receive(
                    socket,
                    timeout(seconds),
                    theirs -> !name.isEmpty() ? name : isTypable(theirs) ? theirs : buffers.freshName());
            HeldBuffer held = received.buffer();
            BufferInfo kept = buffers.keep(received.name(), held.buffer(), held.content());
            return new HandedOver(kept, held.content(), received.from(), false);
        });
    }

    /** Whether a sender's name for its buffer can be given to a command, and looks like what it is. */
    private static boolean isTypable(String name) {
        return !name.isBlank()
                && !name.startsWith("-")
                && name.getBytes(StandardCharsets.UTF_8).length <= NAME_BYTES
                && name.codePoints().noneMatch(HeapCommands::isUntypable);
    }

    private static boolean isUntypable(int character) {
        return Character.isWhitespace(character)
                || Character.isISOControl(character)
                || Character.getType(character) == Character.FORMAT;
    }

    /** A Path drops the slash of a folder's name. */
    private static Path socket(CommandSession session, String path) {
        if (path.isEmpty() || path.endsWith("/")) {
            throw new IllegalArgumentException(
                    "invalid SOCKET = '" + path + "': expected the path of a file, at most 107 bytes");
        }
        return session.currentDir().resolve(path);
    }

    private static Duration timeout(String seconds) {
        return Duration.ofSeconds(Numbers.whole("timeout", seconds, 1, 3600));
    }

    /** Runs a command so that its caller reads what is wrong, and not the name of a Java class before it. */
    private static <T> T plainly(Callable<T> command) {
        try {
            return command.call();
        } catch (HeapException e) {
            throw new CommandFailure(inOptions(e.getMessage()), e);
        } catch (FdSocketException | IllegalArgumentException | IOException e) {
            throw new CommandFailure(e);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** A broker's sentence says what to call, and the shell has an option for it. */
    private static String inOptions(String sentence) {
        return WITH_EMULATIONS
                .matcher(sentence)
                .replaceAll(call -> Matcher.quoteReplacement("--emulated " + call.group(1).replace("\", \"", ",")));
    }

    /** Gogo calls methods of a result by reflection, which Java's own immutable lists do not let it. */
    private static <T> List<T> scriptable(List<T> list) {
        return new ArrayList<>(list);
    }

    private static AllocationRequest routed(AllocationRequest request, String heaps, String mask) {
        if (!heaps.isEmpty() && !mask.isEmpty()) {
            throw new IllegalArgumentException("give names of heaps or a mask, not both");
        }
        if (!mask.isEmpty()) {
            return request.withMask(Numbers.mask(mask));
        }
        return heaps.isEmpty() ? request : request.withHeaps(heaps.split(","));
    }

    private static ExportMode export(boolean readOnly, boolean none) {
        if (readOnly && none) {
            throw new IllegalArgumentException("give --read-only or --no-export, not both");
        }
        return none ? ExportMode.NONE : readOnly ? ExportMode.READ_ONLY : ExportMode.READ_WRITE;
    }

    private static AllocationRequest emulating(AllocationRequest request, String emulated) {
        return emulated.isEmpty() ? request : request.withEmulations(emulated.split(","));
    }

    private static String nameOf(Path file) {
        String name = file.getFileName().toString();
        while (name.getBytes(StandardCharsets.UTF_8).length > NAME_BYTES) {
            name = name.substring(0, name.offsetByCodePoints(name.length(), -1));
        }
        return name;
    }

    private static String[] expect(int count, String[] arguments, String usage) {
        for (String argument : arguments) {
            if (argument.startsWith("-") && argument.length() > 1) {
                throw new IllegalArgumentException("'" + argument + "' is no option here; usage: dmaheap:" + usage
                        + " (see: help dmaheap:" + usage.split(" ")[0] + ")");
            }
        }
        if (arguments.length != count) {
            throw new IllegalArgumentException("usage: dmaheap:" + usage
                    + (arguments.length == 0 ? "" : ", not " + String.join(" ", Arrays.asList(arguments))));
        }
        return arguments;
    }
}
