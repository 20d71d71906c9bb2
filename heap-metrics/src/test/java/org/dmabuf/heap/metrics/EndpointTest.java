// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EndpointTest {
    private final MadeUpMonitor monitor = new MadeUpMonitor();
    private final Endpoint endpoint = open(0);

    private Endpoint open(int port) {
        try {
            return Endpoint.open(
                    new MetricsSettings(InetAddress.ofLiteral("127.0.0.1"), port, "port in etc/metrics.cfg", 32),
                    monitor);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @AfterEach
    void close() {
        endpoint.close();
    }

    private int port() {
        return URI.create(endpoint.url()).getPort();
    }

    /** {@return everything that the server sends for a request, until it closes the connection} */
    private String answer(String request) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", port())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write(request.getBytes(US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), US_ASCII);
        }
    }

    private String answer(String method, String path, String accept) throws IOException {
        return answer(
                method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: " + accept + "\r\n\r\n");
    }

    @Test
    void a_scrape_gets_the_format_that_it_accepts() throws IOException {
        String open = answer("GET", "/metrics", "application/openmetrics-text");
        assertTrue(open.startsWith("HTTP/1.1 200 "), open);
        assertTrue(open.contains("Content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"), open);
        assertTrue(open.endsWith("# EOF\n"), open);
        String older = answer("GET", "/metrics", "*/*");
        assertTrue(older.contains("Content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), older);
        assertTrue(older.contains("\ndmaheap_heaps{state=\"serving\"} 0\n"), older);
    }

    @Test
    void head_gets_no_body() throws IOException {
        String head = answer("HEAD", "/metrics", "*/*");
        assertTrue(head.startsWith("HTTP/1.1 200 ") && head.endsWith("\r\n\r\n"), head);
    }

    @Test
    void other_paths_and_methods_are_refused() throws IOException {
        assertTrue(answer("GET", "/", "*/*").startsWith("HTTP/1.1 404 "));
        assertTrue(answer("GET", "/metrics/x", "*/*").startsWith("HTTP/1.1 404 "));
        String post = answer("POST", "/metrics", "*/*");
        assertTrue(post.startsWith("HTTP/1.1 405 ") && post.contains("Allow: GET, HEAD"), post);
    }

    @Test
    void figures_that_cannot_be_read_are_an_error_and_the_next_scrape_works() throws IOException {
        monitor.fails = true;
        String failed = answer("GET", "/metrics", "*/*");
        assertTrue(failed.startsWith("HTTP/1.1 500 ") && failed.endsWith("see the gateway's log\n"), failed);
        monitor.fails = false;
        assertTrue(answer("GET", "/metrics", "*/*").startsWith("HTTP/1.1 200 "));
    }

    @Test
    void a_port_in_use_is_an_error_that_names_the_setting() throws IOException {
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            MetricsSettings settings = new MetricsSettings(
                    InetAddress.ofLiteral("127.0.0.1"), other.getLocalPort(), "port in etc/metrics.cfg", 32);
            String message = assertThrows(IOException.class, () -> Endpoint.open(settings, monitor))
                    .getMessage();
            assertEquals(
                    "127.0.0.1:" + other.getLocalPort() + ": Address already in use; change port in etc/metrics.cfg",
                    message);
        }
    }

    @Test
    void a_closed_endpoint_refuses_connections_and_its_port_can_be_opened_again() throws IOException {
        int port = port();
        endpoint.close();
        assertThrows(IOException.class, () -> new Socket("127.0.0.1", port).close());
        open(port).close();
    }

    @Test
    void a_peer_that_sends_too_slowly_is_disconnected() throws Exception {
        try (RequestThreads threads = new RequestThreads(Duration.ofMillis(20))) {
            Pipe pipe = Pipe.open();
            CountDownLatch over = new CountDownLatch(1);
            threads.execute(() -> {
                try {
                    pipe.source().read(ByteBuffer.allocate(1));
                } catch (IOException e) {
                    over.countDown();
                }
            });
            over.await();
            assertTrue(!pipe.source().isOpen());
            pipe.sink().close();
        }
    }

    @Test
    void a_request_that_was_interrupted_leaves_no_interrupt_to_the_next() throws Exception {
        try (RequestThreads threads = new RequestThreads(Duration.ofMillis(20))) {
            for (int i = 0; i < 8; i++) {
                CountDownLatch began = new CountDownLatch(1);
                threads.execute(() -> {
                    boolean interrupted = Thread.currentThread().isInterrupted();
                    while (!Thread.currentThread().isInterrupted()) {
                        Thread.onSpinWait();
                    }
                    if (!interrupted) {
                        began.countDown();
                    }
                });
                began.await();
            }
        }
    }

    @Test
    void more_requests_than_threads_and_places_are_refused() throws Exception {
        CountDownLatch end = new CountDownLatch(1);
        try (RequestThreads threads = new RequestThreads(Duration.ofMinutes(1))) {
            Runnable waiting = () -> {
                try {
                    end.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            };
            for (int i = 0; i < 20; i++) {
                threads.execute(waiting);
            }
            assertThrows(RejectedExecutionException.class, () -> threads.execute(waiting));
            end.countDown();
        }
    }
}
