// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.dmabuf.heap.agent.AgentFixture.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.UserDatabase;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Test of the requests to the gateway, without clients. */
class GatewaySessionTest {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Node SYSTEM = new Node("/dev/dma_heap/system", Abi.DMA_HEAP, "system", false);

    @TempDir
    Path folder;

    private FakeGateway server;
    private Gateway gateway;

    @BeforeEach
    void start() {
        server = new FakeGateway(folder.resolve("gateway"));
        gateway = new Gateway(folder.resolve("gateway"), PATIENCE, PATIENCE);
    }

    @AfterEach
    void stop() throws Exception {
        server.stop();
    }

    private GatewaySession session(String name) {
        return new GatewaySession(gateway, client(name));
    }

    private static Client client(String name) {
        return new Client(ClientId.of("container", name), 1, "", Map.of(), Map.of());
    }

    /** Lead of a thread that has none. */
    private static final class NoLead implements Lead {
        @Override
        public void pass() {}

        @Override
        public void awaitReply(PacketSocket connection) {}
    }

    @Test
    void idle_clients_leave_the_connections_of_the_gateway_to_others() throws Exception {
        List<GatewaySession> sessions = new ArrayList<>();
        try {
            for (int i = 0; i < 20; i++) {
                GatewaySession session = session("client" + i);
                sessions.add(session);
                session.allocate(SYSTEM, 0, 1, 1, new NoLead()).close();
            }
            await("idle connections are closed", () -> server.connections() == 0);
            sessions.getFirst().allocate(SYSTEM, 0, 1, 1, new NoLead()).close();
            assertEquals(21, server.hellos.size());
        } finally {
            sessions.forEach(GatewaySession::close);
        }
    }

    @Test
    void an_allocation_does_not_wait_for_memory() throws Exception {
        try (GatewaySession session = session("client")) {
            session.allocate(SYSTEM, 0, 1, 1, new NoLead()).close();
        }
        assertEquals(0, server.requests.getFirst().timeoutMillis());
    }

    @Test
    void a_gateway_that_does_not_answer_is_ENOMEM_and_has_a_sentence_of_its_own() {
        Path path = folder.resolve("silent");
        Gateway silent = new Gateway(path, PATIENCE, Duration.ofSeconds(1));
        try (FdListener listener = FdListener.bind(path);
                GatewaySession session = new GatewaySession(silent, client("client"))) {
            GatewayRefusal refusal =
                    assertThrows(GatewayRefusal.class, () -> session.allocate(SYSTEM, 0, 1, 1, new NoLead()));
            assertEquals(-Errno.ENOMEM.number(), refusal.status());
            assertEquals(
                    "the gateway at " + listener.path() + " did not answer within 1 s; look at its log, restart it if"
                            + " it hangs, or raise gateway.timeout",
                    refusal.getMessage());
        }
    }

    @Test
    void the_gateways_user_is_known_before_the_first_connection() throws Exception {
        try (GatewaySession session = session("client")) {
            assertTrue(gateway.isOf(UserDatabase.ownUser()), session::toString);
        }
        assertEquals(0, server.connections());
        Gateway absent = new Gateway(folder.resolve("absent"), PATIENCE, PATIENCE);
        try (GatewaySession session = new GatewaySession(absent, client("client"))) {
            assertFalse(absent.isOf(-1) || absent.isOf(UserDatabase.ownUser()), session::toString);
        }
    }

    @Test
    void successive_requests_share_a_connection() throws Exception {
        try (GatewaySession session = session("client")) {
            for (int i = 0; i < 20; i++) {
                session.allocate(SYSTEM, 0, 1, 1, new NoLead()).close();
            }
        }
        assertEquals(1, server.hellos.size());
    }

    @Test
    void a_client_keeps_one_connection_of_several() throws Exception {
        ConnectionPool pool = new ConnectionPool(PATIENCE);
        pool.enter();
        List<GatewayConnection> made = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            made.add(new GatewayConnection(gateway.connect()));
        }
        await("four connections", () -> server.connections() == 4);
        made.forEach(pool::give);
        await("the others are closed", () -> server.connections() == 1);
        pool.leave();
        await("the last one is closed", () -> server.connections() == 0);
    }
}
