// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.felix.service.command.CommandProcessor;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Converter;
import org.apache.felix.service.command.Job;
import org.dmabuf.heap.gateway.control.wire.Frame;
import org.dmabuf.heap.gateway.control.wire.Request;

/** Interpreter of a command line, or of a script up to the first line that fails. It has no terminal. */
final class GogoCommand implements Interpreter {
    private final CommandProcessor processor;
    private final SessionSettings settings;
    private final Request request;
    private final Inbox in;
    private final FrameOutputStream output;
    private final FrameOutputStream error;
    private final PrintStream out;
    private final PrintStream err;
    private final SessionEnd end = new SessionEnd();
    private volatile CommandSession session;
    private volatile boolean exitSaid;
    private volatile int status;

    GogoCommand(CommandProcessor processor, SessionSettings settings, Request request, Inbox in, Outbox outbox) {
        this.processor = processor;
        this.settings = settings;
        this.request = request;
        this.in = in;
        this.output = new FrameOutputStream(outbox, Frame.Type.OUTPUT);
        this.error = new FrameOutputStream(outbox, Frame.Type.ERROR);
        this.out = new PrintStream(output, true, StandardCharsets.UTF_8);
        this.err = new PrintStream(error, true, StandardCharsets.UTF_8);
    }

    @Override
    public int run() {
        // Created in the session's thread, so that its threads inherit the thread group.
        session = processor.createSession(in, new CommandOutput(output), new CommandOutput(error));
        settings.variables().forEach(session::put);
        end.putInto(session);
        if (request.verb() == Request.Verb.SCRIPT) {
            runScript();
        } else {
            runLine(request.command(), "");
        }
        out.flush();
        err.flush();
        return status;
    }

    private void runScript() {
        int number = 1;
        for (String line : request.command().lines().toList()) {
            if (exitSaid || !runLine(line, "line " + number + ": ")) {
                return;
            }
            number++;
        }
    }

    /** {@return whether the line has succeeded} */
    private boolean runLine(String line, String place) {
        try {
            Object result = session.execute(line);
            if (result != null) {
                String text = session.format(result, Converter.INSPECT).toString();
                out.print(text.endsWith("\n") ? text : text + "\n");
            }
            if (session.get("pipe-exception") instanceof Exception) {
                return fail(place + "a command in the pipe failed");
            }
            return true;
        } catch (Exception | Error e) {
            return fail(place + Sentence.of(e));
        }
    }

    private boolean fail(String sentence) {
        out.flush();
        err.println(sentence);
        status = 1;
        return false;
    }

    @Override
    public void exit(int given) {
        status = given;
        exitSaid = true;
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
        end.run(session);
    }
}
