// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.felix.service.command.CommandProcessor;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Converter;
import org.apache.felix.service.command.Job;
import org.dmabuf.heap.gateway.control.wire.Frame;

/** One command line, without a terminal. */
final class GogoCommand implements Interpreter {
    private final CommandProcessor processor;
    private final SessionSettings settings;
    private final String command;
    private final Inbox in;
    private final PrintStream out;
    private final PrintStream err;
    private final SessionEnd end = new SessionEnd();
    private volatile CommandSession session;
    private volatile int status;

    GogoCommand(CommandProcessor processor, SessionSettings settings, String command, Inbox in, Outbox outbox) {
        this.processor = processor;
        this.settings = settings;
        this.command = command;
        this.in = in;
        this.out = new PrintStream(new FrameOutputStream(outbox, Frame.Type.OUTPUT), true, StandardCharsets.UTF_8);
        this.err = new PrintStream(new FrameOutputStream(outbox, Frame.Type.ERROR), true, StandardCharsets.UTF_8);
    }

    @Override
    public int run() {
        session = processor.createSession(in, out, err); // in a thread of the session: its threads inherit the group
        settings.variables().forEach(session::put);
        end.putInto(session);
        try {
            Object result = session.execute(command);
            if (result != null) {
                String text = session.format(result, Converter.INSPECT).toString();
                out.print(text.endsWith("\n") ? text : text + "\n");
            }
            if (session.get("pipe-exception") instanceof Exception) {
                err.println("a command in the pipe failed");
                status = 1;
            }
        } catch (Exception | LinkageError e) {
            err.println(Sentence.of(e));
            status = 1;
        }
        out.flush();
        err.flush();
        return status;
    }

    @Override
    public void exit(int given) {
        status = given;
    }

    @Override
    public void resize(int columns, int rows) {
        // there is no terminal
    }

    @Override
    public void signal(String name) {
        CommandSession current = session;
        Job job = current == null ? null : current.foregroundJob();
        if (job != null && name.equals("INT")) {
            job.interrupt();
        }
    }

    @Override
    public void hangUp() {
        in.end();
        signal("INT");
    }

    @Override
    public void end() {
        end.run();
        CommandSession current = session;
        if (current != null) {
            current.close();
        }
    }
}
