// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.dmabuf.heap.gateway.control.wire.Frame;
import org.dmabuf.heap.gateway.control.wire.MalformedFrameException;
import org.dmabuf.heap.gateway.control.wire.Request;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Session of one client: a shell or a command, from its first frame to its exit status or to the client's hang-up. */
final class Session {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** Time that the work may take to end after a hang-up; then the session ends without it. */
    private static final long PATIENCE_SECONDS = 3;

    /** Time in which a printing command should notice that its client is gone. */
    private static final long PRINTING_MILLIS = 100;

    private final Request request;
    private final String user;
    private final Instant since = Instant.now();
    private final Interpreter interpreter;
    private final Inbox in;
    private final Outbox outbox;
    private final Consumer<Session> whenEnded;
    private final SessionThreads threads;
    private final Thread thread;
    private final AtomicBoolean ended = new AtomicBoolean();

    /**
     * Creates a session, which runs nothing yet.
     *
     * @param user name of the client's user
     * @param whenEnded receives this session once it holds nothing any more, before the client gets the exit status
     */
    Session(
            Request request,
            String user,
            Interpreter interpreter,
            Inbox in,
            Outbox outbox,
            Consumer<Session> whenEnded) {
        this.request = request;
        this.user = user;
        this.interpreter = interpreter;
        this.in = in;
        this.outbox = outbox;
        this.whenEnded = whenEnded;
        this.threads = new SessionThreads("control session", interpreter::exit);
        this.thread = new Thread(threads, this::run, "control: session");
        thread.setDaemon(true);
        thread.setContextClassLoader(null); // as in the gateway's own shell
    }

    Request.Verb kind() {
        return request.verb();
    }

    String user() {
        return user;
    }

    Instant since() {
        return since;
    }

    void start() {
        thread.start();
    }

    private void run() {
        int status;
        try {
            status = interpreter.run();
        } catch (Throwable e) {
            status = 1;
            LOG.debug("a session ended with an exception", e);
        }
        try {
            end();
            Thread.interrupted(); // the interrupt was meant for the command
            outbox.send(Frame.of(Frame.Type.EXIT, status));
        } catch (IOException e) {
            LOG.debug("the client left before it received the exit status", e);
        } finally {
            outbox.end(); // also after a failure, so that the client does not wait
        }
    }

    void take(Frame frame) throws MalformedFrameException {
        switch (frame.type()) {
            case INPUT -> in.put(frame.payload());
            case SIZE -> {
                int[] size = frame.numbers(2);
                interpreter.resize(Request.size(size[0]), Request.size(size[1]));
            }
            case SIGNAL -> interpreter.signal(frame.text());
            default ->
                throw new MalformedFrameException(
                        "invalid frame = " + frame.type() + ": expected INPUT, SIZE or SIGNAL");
        }
    }

    /**
     * Ends the session because the client is gone or the gateway stops: interrupts the work and frees what the session
     * holds.
     */
    void hangUp() {
        outbox.fail(new IOException("the client has hung up"));
        try {
            // A command that prints ends by this failure alone. An interrupt would close Gogo's channel to the client,
            // and the command would not notice that.
            thread.join(PRINTING_MILLIS);
            interpreter.hangUp();
            thread.interrupt();
            threads.interruptCommands();
            thread.join(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            if (thread.isAlive()) {
                LOG.warn("a command still runs after its client left: it ignores the interrupt");
            }
            end();
        }
        if (thread.isAlive()) {
            LOG.warn("a command still runs after its client left: it ignores the interrupt");
        }
    }

    private void end() {
        if (ended.compareAndSet(false, true)) {
            try {
                interpreter.end();
            } finally {
                threads.end();
                whenEnded.accept(this);
            }
        }
    }
}
