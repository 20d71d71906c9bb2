// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.dmabuf.heap.agent.AgentFixture.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Test of the requests to the gateway, without clients. */
class GatewaySessionTest {
    private static final Duration PATIENCE = Duration.ofSeconds(30);

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
        return new GatewaySession(gateway, new Client(ClientId.of("container", name), 1, "", Map.of(), Map.of()));
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
                session.allocate("system", 0, 1, 1, new NoLead()).close();
            }
            await("idle connections are closed", () -> server.connections() == 0);
            sessions.getFirst().allocate("system", 0, 1, 1, new NoLead()).close();
            assertEquals(21, server.hellos.size());
        } finally {
            sessions.forEach(GatewaySession::close);
        }
    }

    @Test
    void successive_requests_share_a_connection() throws Exception {
        try (GatewaySession session = session("client")) {
            for (int i = 0; i < 20; i++) {
                session.allocate("system", 0, 1, 1, new NoLead()).close();
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
