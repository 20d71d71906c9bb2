// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.attribute.UserPrincipal;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.dmabuf.heap.gateway.control.wire.Frame;
import org.dmabuf.heap.gateway.control.wire.FrameReader;
import org.dmabuf.heap.gateway.control.wire.Hello;
import org.dmabuf.heap.gateway.control.wire.MalformedFrameException;
import org.dmabuf.heap.gateway.control.wire.Request;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One client of the control socket, in a thread of its own. */
final class Connection implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** How long a client may take to say what it wants, and to take a status. */
    private static final long HELLO_SECONDS = 5;

    /** What a connection needs of its server. */
    record Server(
            Hello hello,
            Sessions sessions,
            Interpreter.Factory interpreters,
            Supplier<StatusReport> status,
            ScheduledExecutorService timer) {}

    private final SocketChannel channel;
    private final UserPrincipal peer;
    private final Server server;
    private final Outbox outbox;

    /** @param peer the client's user, after the check */
    Connection(SocketChannel channel, UserPrincipal peer, Server server) {
        this.channel = channel;
        this.peer = peer;
        this.server = server;
        this.outbox = new Outbox(channel);
    }

    @Override
    public void run() {
        try {
            Thread writer = new Thread(this::write, "control: output");
            writer.setDaemon(true);
            writer.start();
            converse(writer);
        } catch (ClosedChannelException e) {
            LOG.debug("a connection to the control socket was closed", e);
        } catch (IOException e) {
            LOG.debug("a connection to the control socket failed", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException | Error e) {
            LOG.warn("a connection to the control socket failed", e);
        } finally {
            close();
        }
    }

    private void converse(Thread writer) throws IOException, InterruptedException {
        try {
            serve(new FrameReader(channel));
            writer.join();
        } catch (MalformedFrameException e) {
            LOG.warn("a connection of {} to the control socket is closed: {}", peer.getName(), e.getMessage());
            refuse(e.getMessage(), writer);
        }
    }

    private void write() {
        try {
            outbox.run();
        } finally {
            close(); // a session that has ended: the thread that waits for frames returns
        }
    }

    /** Ends the connection, and with it the session. */
    void close() {
        outbox.fail(new ClosedChannelException());
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("a connection to the control socket was not closed", e);
        }
    }

    private void serve(FrameReader frames) throws IOException {
        Future<?> late = server.timer().schedule(this::close, HELLO_SECONDS, TimeUnit.SECONDS);
        Optional<Frame> first = frames.read();
        if (first.isEmpty()) {
            return; // another gateway looked whether there is one
        }
        Request request = Request.of(first.get());
        if (request.verb() == Request.Verb.STATUS) {
            sendStatus(request.command().equals("json"));
            return; // the timer goes on: a client that does not take it is not waited for
        }
        late.cancel(false);
        Inbox in = new Inbox(outbox);
        Session session;
        try {
            Interpreter interpreter = server.interpreters().create(request, in, outbox);
            session = new Session(request, peer.getName(), interpreter, in, outbox, server.sessions()::remove);
        } catch (Interpreter.AbsentException e) {
            end(Frame.of(Frame.Type.REFUSAL, e.getMessage()));
            return;
        }
        if (server.sessions().add(session)) {
            run(session, frames);
        } else {
            end(Frame.of(
                    Frame.Type.REFUSAL,
                    Sessions.MOST
                            + " sessions are attached, and there cannot be more; leave one, or see 'gateway status'"));
        }
    }

    private void run(Session session, FrameReader frames) throws IOException {
        try {
            outbox.send(server.hello().frame());
            session.start();
            for (Optional<Frame> frame = frames.read(); frame.isPresent(); frame = frames.read()) {
                session.take(frame.get());
            }
        } finally {
            session.hangUp();
        }
    }

    private void sendStatus(boolean json) throws IOException {
        outbox.send(server.hello().frame());
        StatusReport report = server.status().get();
        byte[] text = (json ? StatusJson.of(report) : StatusText.of(report)).getBytes(StandardCharsets.UTF_8);
        for (int from = 0; from < text.length; from += Frame.MAX_PAYLOAD) {
            outbox.send(new Frame(
                    Frame.Type.OUTPUT,
                    Arrays.copyOfRange(text, from, Math.min(text.length, from + Frame.MAX_PAYLOAD))));
        }
        end(Frame.of(Frame.Type.EXIT, report.isWell() ? 0 : 1));
    }

    private void refuse(String sentence, Thread writer) {
        try {
            end(Frame.of(Frame.Type.REFUSAL, sentence));
            writer.join(TimeUnit.SECONDS.toMillis(1));
        } catch (IOException e) {
            LOG.debug("the client did not get the reason", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void end(Frame last) throws IOException {
        outbox.send(last);
        outbox.end();
    }

    /** The first frame of this gateway. */
    static Hello hello(String version) {
        return new Hello(List.of(version, Long.toString(ProcessHandle.current().pid())));
    }
}
