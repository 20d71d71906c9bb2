// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.StandardCharsets;
import java.nio.charset.UnsupportedCharsetException;
import java.util.regex.Pattern;
import org.apache.felix.gogo.jline.Shell;
import org.apache.felix.service.command.CommandProcessor;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Job;
import org.dmabuf.heap.gateway.control.wire.Frame;
import org.dmabuf.heap.gateway.control.wire.Request;
import org.jline.reader.LineReader;
import org.jline.terminal.Attributes;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.impl.LineDisciplineTerminal;
import org.osgi.framework.BundleContext;

/**
 * Interpreter that runs Gogo's interactive shell on a client's terminal.
 *
 * <p>The terminal is JLine's line discipline, but not its subclass ExternalTerminal. The thread of that class accepts
 * no Ctrl-C while a command leaves its input unread. Here a separate thread feeds the bytes, and signals bypass it.
 */
final class GogoShell implements Interpreter {
    private static final Pattern TERMINAL = Pattern.compile("[A-Za-z0-9][A-Za-z0-9+._-]{0,63}");
    private static final int COLUMNS = 80;
    private static final int ROWS = 24;

    private final CommandProcessor processor;
    private final SessionSettings settings;
    private final Request request;
    private final Inbox in;
    private final FrameOutputStream out;
    private final Shell shell;
    private final SessionEnd end = new SessionEnd();
    private volatile LineDisciplineTerminal terminal;
    private volatile CommandSession session;
    private volatile boolean hungUp;
    private volatile int interrupts;
    private volatile int status;

    GogoShell(
            BundleContext context,
            CommandProcessor processor,
            SessionSettings settings,
            Request request,
            Inbox in,
            Outbox outbox) {
        this.processor = processor;
        this.settings = settings;
        this.request = request;
        this.in = in;
        this.out = new FrameOutputStream(outbox, Frame.Type.OUTPUT);
        this.shell = new Shell(new ShellContext(context), processor);
    }

    @Override
    public int run() throws Exception {
        LineDisciplineTerminal opened = open();
        try {
            terminal = opened;
            CommandOutput output = new CommandOutput(opened.output());
            session = processor.createSession(opened.input(), output, output);
            settings.variables().forEach(session::put);
            settings.history().ifPresent(file -> session.put(LineReader.HISTORY_FILE, file));
            session.put(Shell.VAR_TERMINAL, opened);
            end.putInto(session);
            pump(opened);
            if (!hungUp) {
                shell.gosh(session, new String[] {"--login", "--noshutdown", "--nohistory"});
            }
            return status;
        } finally {
            opened.close();
            out.flush();
        }
    }

    private LineDisciplineTerminal open() throws IOException {
        String type = TERMINAL.matcher(request.terminal()).matches() ? request.terminal() : "dumb";
        LineDisciplineTerminal opened =
                new LineDisciplineTerminal("control", type, out, charset(), Terminal.SignalHandler.SIG_IGN);
        opened.setSize(size(request.columns(), request.rows()));
        return opened;
    }

    private Charset charset() {
        try {
            return Charset.forName(request.charset());
        } catch (IllegalCharsetNameException | UnsupportedCharsetException e) {
            return StandardCharsets.UTF_8;
        }
    }

    private static Size size(int columns, int rows) {
        return new Size(columns == 0 ? COLUMNS : columns, rows == 0 ? ROWS : rows);
    }

    /** Copies the client's keys to the terminal until one of the two ends. */
    private void pump(LineDisciplineTerminal to) {
        Thread thread = new Thread(
                () -> {
                    byte[] bytes = new byte[1024];
                    try {
                        for (int count = in.read(bytes); count >= 0; count = in.read(bytes)) {
                            int before = interrupts;
                            for (int i = 0; i < count && interrupts == before; i++) {
                                to.processInputByte(bytes[i]);
                            }
                        }
                    } catch (IOException e) {
                        // the session has ended
                    }
                    closeTerminal(); // the shell ends as it does at the end of a terminal's input
                },
                "control: input");
        thread.setDaemon(true);
        thread.start();
    }

    /** Also closes the terminal: a nested shell, started by the command sh, reads as long as input may come. */
    @Override
    public void exit(int given) {
        status = given;
        shell.stop();
        closeTerminal();
    }

    @Override
    public void resize(int columns, int rows) {
        LineDisciplineTerminal to = terminal;
        if (to != null) {
            to.setSize(size(columns, rows));
            to.raise(Terminal.Signal.WINCH);
        }
    }

    /**
     * Handles a signal as a terminal does: input that was typed before and not read is dropped. A program that has
     * rebound the key receives the key instead.
     */
    @Override
    public void signal(String name) {
        LineDisciplineTerminal to = terminal;
        if (to == null || !name.equals("INT")) {
            return;
        }
        Attributes attributes = to.getAttributes();
        if (attributes.getLocalFlag(Attributes.LocalFlag.ISIG)) {
            in.discard();
            interrupts++; // only the thread that receives frames writes this field
            to.raise(Terminal.Signal.INT);
        } else {
            try {
                to.processInputByte(attributes.getControlChar(Attributes.ControlChar.VINTR));
            } catch (IOException e) {
                // the session has ended
            }
        }
    }

    @Override
    public void hangUp() {
        hungUp = true;
        shell.stop();
        in.end();
        CommandSession current = session;
        Job job = current == null ? null : current.foregroundJob();
        if (job != null) {
            job.interrupt();
        }
        closeTerminal();
    }

    private void closeTerminal() {
        LineDisciplineTerminal opened = terminal;
        if (opened != null) {
            try {
                opened.close();
            } catch (IOException e) {
                // the client is gone and takes no more output
            }
        }
    }

    @Override
    public void end() {
        end.run(session);
    }

    /** Context of a shell whose end does not end the gateway. */
    private record ShellContext(BundleContext context) implements Shell.Context {
        @Override
        public String getProperty(String name) {
            return context.getProperty(name);
        }

        @Override
        public void exit() {
            // gosh is configured not to call it
        }
    }
}
