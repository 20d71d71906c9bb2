// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.client;

import java.io.IOException;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Optional;
import org.dmabuf.heap.gateway.control.wire.Frame;
import org.dmabuf.heap.gateway.control.wire.FrameReader;
import org.dmabuf.heap.gateway.control.wire.Hello;
import org.dmabuf.heap.gateway.control.wire.Request;
import org.dmabuf.heap.gateway.control.wire.SocketPlace;

/** Connection to a gateway that has accepted the request. */
public final class Conversation implements AutoCloseable {
    /** Time limit for the gateway's greeting. */
    static final Duration PATIENCE = Duration.ofSeconds(5);

    /** Failure because the gateway answered, but refused the request. */
    static final class RefusedException extends IOException {
        private static final long serialVersionUID = 1L;

        RefusedException(String sentence) {
            super(sentence);
        }
    }

    /** Failure because a process listens, but does not answer. */
    static final class SilentException extends IOException {
        private static final long serialVersionUID = 1L;

        SilentException(SocketPlace place, Throwable cause) {
            super("the gateway on " + place.path() + " did not answer within " + PATIENCE.toSeconds() + " s", cause);
        }
    }

    private final SocketChannel channel;
    private final FrameReader frames;
    private final Hello hello;

    private Conversation(SocketChannel channel, FrameReader frames, Hello hello) {
        this.channel = channel;
        this.frames = frames;
        this.hello = hello;
    }

    /** Connects, sends the request, and waits for the gateway's greeting, within time limits. */
    public static Conversation open(SocketPlace place, Request request) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        boolean opened = false;
        try (Deadline _ = new Deadline(channel, PATIENCE)) {
            channel.connect(UnixDomainSocketAddress.of(place.path()));
            send(channel, request.frame());
            FrameReader frames = new FrameReader(channel);
            Optional<Frame> first = frames.read();
            if (first.isEmpty()) {
                throw closedTo(place);
            }
            if (first.get().type() == Frame.Type.REFUSAL) {
                throw new RefusedException(first.get().text());
            }
            Conversation conversation = new Conversation(channel, frames, Hello.of(first.get()));
            opened = true;
            return conversation;
        } catch (ClosedChannelException e) {
            throw new SilentException(place, e);
        } catch (SocketException e) {
            if (!channel.isConnected()) {
                throw e;
            }
            throw closedTo(place); // the gateway closed the connection before it read the request
        } finally {
            if (!opened) {
                channel.close();
            }
        }
    }

    private static RefusedException closedTo(SocketPlace place) {
        return new RefusedException("the gateway on " + place.path() + " refuses this client; its log has the reason");
    }

    /** {@return the greeting: the gateway's version and process} */
    public Hello hello() {
        return hello;
    }

    void send(Frame frame) throws IOException {
        send(channel, frame);
    }

    private static void send(SocketChannel channel, Frame frame) throws IOException {
        ByteBuffer bytes = frame.encoded();
        synchronized (channel) {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }

    /** {@return the next frame; empty if the gateway is gone} */
    Optional<Frame> read() throws IOException {
        return frames.read();
    }

    SocketChannel channel() {
        return channel;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
