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

/** Connection to one client of the control socket, in a thread of its own. */
final class Connection implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** Limit in seconds for a client to send its request and to receive a status. */
    private static final long HELLO_SECONDS = 5;

    /** Services of the server that a connection uses. */
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

    /** @param peer the client's user, which has been checked */
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
            LOG.debug("a control connection was closed", e);
        } catch (IOException e) {
            LOG.debug("a control connection failed", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException | Error e) {
            LOG.warn("a control connection failed", e);
        } finally {
            close();
        }
    }

    private void converse(Thread writer) throws IOException, InterruptedException {
        try {
            serve(new FrameReader(channel));
            writer.join();
        } catch (MalformedFrameException e) {
            LOG.warn("closing a control connection of user {}: {}", peer.getName(), e.getMessage());
            refuse(e.getMessage(), writer);
        }
    }

    private void write() {
        try {
            outbox.run();
        } finally {
            close(); // releases the thread that waits for frames of a session that has ended
        }
    }

    /** Ends the connection and its session. */
    void close() {
        outbox.fail(new ClosedChannelException());
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("closing a control connection failed", e);
        }
    }

    private void serve(FrameReader frames) throws IOException {
        Future<?> late = server.timer().schedule(this::close, HELLO_SECONDS, TimeUnit.SECONDS);
        Optional<Frame> first = frames.read();
        if (first.isEmpty()) {
            return; // another gateway tested whether a process listens
        }
        Request request = Request.of(first.get());
        if (request.verb() == Request.Verb.STATUS) {
            sendStatus(request.command().equals("json"));
            return; // the timer closes the connection if the client does not take the status
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
                            + " sessions are attached, which is the limit; end one; 'gateway status' lists them"));
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
            LOG.debug("the client did not receive the reason of the refusal", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void end(Frame last) throws IOException {
        outbox.send(last);
        outbox.end();
    }

    /** Returns the first frame that this gateway sends. */
    static Hello hello(String version) {
        return new Hello(List.of(version, Long.toString(ProcessHandle.current().pid())));
    }
}
