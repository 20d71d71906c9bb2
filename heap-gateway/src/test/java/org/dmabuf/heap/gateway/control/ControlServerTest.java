// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.gateway.control.client.ControlClient;
import org.dmabuf.heap.gateway.control.client.Conversation;
import org.dmabuf.heap.gateway.control.wire.Frame;
import org.dmabuf.heap.gateway.control.wire.FrameReader;
import org.dmabuf.heap.gateway.control.wire.Request;
import org.dmabuf.heap.gateway.control.wire.SocketPlace;
import org.dmabuf.heap.gateway.control.wire.User;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 1, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ControlServerTest {
    @TempDir
    Path folder;

    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    private final Sessions sessions = new Sessions();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final CountDownLatch freed = new CountDownLatch(1);
    private List<HeapInfo> heaps = List.of();
    private Optional<String> unknown = Optional.empty();
    private ControlServer server;

    @AfterEach
    void stop() throws IOException {
        if (server != null) {
            server.close();
        }
        timer.shutdownNow();
    }

    @Test
    void a_status_without_broker_and_shell_is_reported() throws IOException {
        unknown = Optional.of("no broker");
        serve(User::isOwnOrRoot, (request, in, outbox) -> {
            throw new Interpreter.AbsentException("this gateway has no shell");
        });
        assertEquals(1, client("").status(false));
        assertTrue(out.toString(StandardCharsets.UTF_8).contains("heaps: no broker\n"), out.toString());
        assertEquals(4, client("").command("echo"));
        assertEquals("this gateway has no shell\n", err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void a_failed_heap_is_a_problem_and_a_shadowed_one_is_not() throws IOException {
        serve(User::isOwnOrRoot, this::echo);
        heaps = List.of(HeapInfo.of("second", HeapState.SHADOWED)
                .reason(Optional.of("another has the name"))
                .build());
        assertEquals(0, client("").status(false));
        heaps = List.of(HeapInfo.of("odd \"name\"", HeapState.FAILED)
                .reason(Optional.of("no memory\u001b"))
                .build());
        assertEquals(1, client("").status(false));
        assertTrue(out.toString(StandardCharsets.UTF_8).contains("    no memory\\u001b\n"), out.toString());
        out.reset();
        assertEquals(1, client("").status(true));
        String json = out.toString(StandardCharsets.UTF_8);
        assertTrue(json.contains("\"well\":false"), json);
        assertTrue(json.contains("{\"name\":\"odd \\\"name\\\"\",\"state\":\"failed\",\"wrong\":true"), json);
        assertTrue(json.contains("\"reason\":\"no memory\\u001B\""), json);
    }

    @Test
    void a_command_has_its_input_its_two_outputs_and_its_status() throws IOException {
        serve(User::isOwnOrRoot, this::echo);
        String input = "0123456789".repeat(50_000); // more than is granted at once
        assertEquals(7, client(input).command("7"));
        assertEquals(input, out.toString(StandardCharsets.UTF_8));
        assertEquals("done", err.toString(StandardCharsets.UTF_8));
        assertEquals(List.of(), sessions.all());
    }

    @Test
    void sessions_are_limited_and_status_still_works() throws Exception {
        serve(User::isOwnOrRoot, this::echo);
        List<Conversation> attached = new ArrayList<>();
        for (int i = 0; i < Sessions.MOST; i++) {
            attached.add(Conversation.open(place(), Request.of(Request.Verb.COMMAND, "0"))); // each waits for input
        }
        assertEquals(4, client("").command("0"));
        assertTrue(err.toString(StandardCharsets.UTF_8).startsWith("8 sessions are attached"), err.toString());
        assertEquals(0, client("").status(false));
        assertTrue(out.toString(StandardCharsets.UTF_8).contains("sessions: 8\n"), out.toString());
        for (Conversation conversation : attached) {
            conversation.close();
        }
        while (!sessions.all().isEmpty()) {
            Thread.sleep(10);
        }
        assertEquals(0, client("").command("0"));
    }

    @Test
    void a_client_that_is_gone_frees_its_session_though_its_command_ignores_the_interrupt() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        serve(User::isOwnOrRoot, (request, in, outbox) -> new Echo(request, in, outbox) {
            @Override
            public int run() {
                boolean waiting = true;
                while (waiting) {
                    try {
                        never.await();
                        waiting = false;
                    } catch (InterruptedException e) {
                        // as native code does
                    }
                }
                return 0;
            }
        });
        Conversation.open(place(), Request.of(Request.Verb.COMMAND, "")).close();
        assertTrue(freed.await(30, TimeUnit.SECONDS));
        assertEquals(0, client("").status(false));
        never.countDown();
    }

    @Test
    void a_user_without_permission_gets_no_answer() throws IOException {
        serve(user -> false, this::echo);
        assertEquals(4, client("").status(false));
        assertEquals("", out.toString(StandardCharsets.UTF_8));
    }

    @Test
    void a_client_above_the_limit_is_refused_and_reports_that() throws Exception {
        serve(User::isOwnOrRoot, this::echo);
        List<SocketChannel> silent = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            silent.add(connect());
        }
        assertEquals(4, client("").status(false));
        assertTrue(err.toString(StandardCharsets.UTF_8).contains("refuses this client"), err.toString());
        for (SocketChannel channel : silent) {
            channel.close();
        }
    }

    @Test
    void a_file_other_than_a_socket_is_reported() throws IOException {
        Files.writeString(place().path(), "");
        assertEquals(3, client("").status(false));
        assertEquals(
                "no gateway runs on " + place().path() + ": the file is not a socket\n",
                err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void malformed_input_ends_its_connection_and_no_other() throws IOException {
        serve(User::isOwnOrRoot, this::echo);
        byte[][] wrong = {
            "GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII),
            {2, 0x7F, -1, -1, -1},
            {1, 0, 0, 0, 4, 0, 0, 0, 9},
            {1, 0}
        };
        for (byte[] bytes : wrong) {
            try (SocketChannel channel = connect()) {
                channel.write(ByteBuffer.wrap(bytes));
                channel.shutdownOutput();
                assertEquals(
                        Frame.Type.REFUSAL,
                        new FrameReader(channel).read().orElseThrow().type());
            }
        }
        assertEquals(0, client("").status(false));
    }

    @Test
    void input_above_the_granted_amount_ends_the_session() throws IOException {
        serve(User::isOwnOrRoot, (request, in, outbox) -> new Echo(request, in, outbox) {
            @Override
            public int run() throws InterruptedException {
                new CountDownLatch(1).await();
                return 0;
            }
        });
        try (SocketChannel channel = connect()) {
            channel.write(Request.of(Request.Verb.COMMAND, "").frame().encoded());
            FrameReader frames = new FrameReader(channel);
            assertEquals(Frame.Type.HELLO, frames.read().orElseThrow().type());
            channel.write(Frame.of(Frame.Type.INPUT, "x").encoded());
            assertThrows(IOException.class, () -> {
                if (frames.read().isEmpty()) {
                    throw new IOException("closed");
                }
            });
        }
    }

    private void serve(ControlServer.PeerCheck check, Interpreter.Factory interpreters) throws IOException {
        server = new ControlServer(
                BoundSocket.open(place(), User.own()),
                check,
                new Connection.Server(Connection.hello("1"), sessions, interpreters, this::report, timer));
        server.start();
    }

    private StatusReport report() {
        return new StatusReport(
                "1", 4711, Duration.ofSeconds(61), List.of(), heaps, unknown, sessions.report(Instant.now()));
    }

    private SocketPlace place() {
        return new SocketPlace(folder.resolve("control"), false);
    }

    private SocketChannel connect() throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(place().path()));
        return channel;
    }

    private ControlClient client(String input) throws IOException {
        return new ControlClient(
                place().path().toString(), new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)), out, err);
    }

    private Interpreter echo(Request request, Inbox in, Outbox outbox) {
        return new Echo(request, in, outbox);
    }

    /** Copies its input, and ends with the status that is its command. */
    private class Echo implements Interpreter {
        private final Request request;
        private final Inbox in;
        private final Outbox outbox;

        Echo(Request request, Inbox in, Outbox outbox) {
            this.request = request;
            this.in = in;
            this.outbox = outbox;
        }

        @Override
        public int run() throws Exception {
            FrameOutputStream output = new FrameOutputStream(outbox, Frame.Type.OUTPUT);
            in.transferTo(output);
            output.flush();
            FrameOutputStream error = new FrameOutputStream(outbox, Frame.Type.ERROR);
            error.write("done".getBytes(StandardCharsets.UTF_8));
            error.flush();
            return Integer.parseInt(request.command());
        }

        @Override
        public void exit(int status) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void resize(int columns, int rows) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void signal(String name) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void hangUp() {
            in.end();
        }

        @Override
        public void end() {
            freed.countDown();
        }
    }
}
