// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.health;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.socket.FdListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChecksTest {
    private List<HeapInfo> heaps = List.of();
    private List<UsageRecord> charged = List.of();

    private final HeapMonitor monitor = (HeapMonitor) Proxy.newProxyInstance(
            HeapMonitor.class.getClassLoader(),
            new Class<?>[] {HeapMonitor.class},
            (_, method, _) -> switch (method.getName()) {
                case "heaps" -> heaps;
                case "usageByHeap", "usageByClient" -> charged;
                case "hashCode" -> 1;
                default -> throw new AssertionError(method);
            });

    private static void assertResult(Result.Status expected, HealthCheck check) {
        Result result = check.execute();
        assertEquals(expected, result.getStatus(), result::toString);
    }

    private static HeapInfo heap(HeapUsage usage, UsageRecord charged) {
        return HeapInfo.of("camera", HeapState.SERVING)
                .usage(usage, Duration.ZERO)
                .charged(charged)
                .build();
    }

    @Test
    void a_heap_above_the_mark_of_its_memory_is_a_warning() {
        UsageRecord none = UsageRecord.builder().build();
        heaps = List.of(heap(HeapUsage.unknown().withCapacity(100).withFree(10), none));
        assertResult(Result.Status.OK, new FullCheck(monitor, 90));
        heaps = List.of(heap(HeapUsage.unknown().withCapacity(100).withFree(9), none));
        assertResult(Result.Status.WARN, new FullCheck(monitor, 90));
        assertTrue(new FullCheck(monitor, 90)
                .execute()
                .toString()
                .contains("heap 'camera' uses 91 of 100 bytes of its memory"));
    }

    @Test
    void a_heap_above_the_mark_of_its_quota_is_a_warning() {
        UsageRecord.Builder record =
                UsageRecord.builder().heap("camera").live(1, 60).limit(OptionalLong.of(100));
        heaps = List.of(heap(HeapUsage.unknown(), record.lingering(1, 30).build()));
        assertResult(Result.Status.OK, new FullCheck(monitor, 90));
        heaps = List.of(heap(HeapUsage.unknown(), record.lingering(1, 31).build()));
        assertResult(Result.Status.WARN, new FullCheck(monitor, 90));
    }

    @Test
    void lingering_memory_above_the_mark_is_a_warning() {
        charged =
                List.of(UsageRecord.builder().heap("camera").lingering(2, 4096).build());
        assertResult(Result.Status.OK, new LingeringCheck(monitor, 4096));
        assertResult(Result.Status.WARN, new LingeringCheck(monitor, 4095));
    }

    @Test
    void a_client_that_has_leaked_is_a_warning() {
        UsageRecord.Builder client = UsageRecord.builder().client(ClientId.of("uid", "1000"));
        charged = List.of(client.build());
        assertResult(Result.Status.OK, new LeakCheck(monitor));
        charged = List.of(client.leaked(1).build());
        assertResult(Result.Status.WARN, new LeakCheck(monitor));
    }

    @Test
    void without_a_heap_only_that_is_a_warning() {
        assertResult(Result.Status.OK, new FullCheck(monitor, 90));
        assertResult(Result.Status.OK, new LingeringCheck(monitor, 0));
        assertResult(Result.Status.OK, new LeakCheck(monitor));
        assertResult(Result.Status.WARN, new RefusedCheck(monitor));
        assertTrue(new RefusedCheck(monitor).execute().toString().contains("the gateway has no heap"));
    }

    @Test
    void a_heap_without_memory_is_not_full_and_the_largest_figures_do_not_overflow() {
        UsageRecord none = UsageRecord.builder().build();
        heaps = List.of(heap(HeapUsage.unknown().withCapacity(0).withFree(0), none));
        assertResult(Result.Status.OK, new FullCheck(monitor, 90));
        heaps = List.of(heap(HeapUsage.unknown().withCapacity(Long.MAX_VALUE).withFree(0), none));
        assertResult(Result.Status.WARN, new FullCheck(monitor, 90));
        heaps = List.of(heap(HeapUsage.unknown().withCapacity(Long.MAX_VALUE).withFree(Long.MAX_VALUE), none));
        assertResult(Result.Status.OK, new FullCheck(monitor, 90));
    }

    @Test
    void names_in_results_are_printable() {
        heaps = List.of(HeapInfo.of("a\nb", HeapState.REFUSED)
                .reason(Optional.of("c\nd"))
                .build());
        String refused = new RefusedCheck(monitor).execute().toString();
        assertTrue(refused.contains("a\\u000ab"), refused);
        assertTrue(refused.contains("c\\u000ad"), refused);
        charged = List.of(UsageRecord.builder()
                .client(ClientId.of("uid", "a\u202eb"))
                .leaked(1)
                .build());
        assertTrue(new LeakCheck(monitor).execute().toString().contains("a\\u202eb"));
    }

    @Test
    void a_heap_that_does_not_serve_is_reported_with_its_reason() {
        Map<HeapState, Result.Status> expected = Map.of(
                HeapState.SERVING, Result.Status.OK,
                HeapState.DRAINING, Result.Status.OK,
                HeapState.DEPARTED, Result.Status.OK,
                HeapState.WAITING, Result.Status.WARN,
                HeapState.SHADOWED, Result.Status.WARN,
                HeapState.REFUSED, Result.Status.CRITICAL,
                HeapState.FAILED, Result.Status.CRITICAL,
                HeapState.HANGING, Result.Status.CRITICAL);
        for (HeapState state : HeapState.values()) {
            heaps = List.of(HeapInfo.of("camera", state)
                    .reason(Optional.of("it has no name"))
                    .build());
            assertResult(expected.get(state), new RefusedCheck(monitor));
        }
        heaps = List.of(HeapInfo.of("camera", HeapState.REFUSED)
                .reason(Optional.of("it has no name"))
                .build());
        assertTrue(new RefusedCheck(monitor).execute().toString().contains("it has no name"));
    }

    @Test
    void an_agent_without_its_socket_is_down(@TempDir Path folder) {
        Path socket = folder.resolve("run.socket");
        assertResult(Result.Status.CRITICAL, new AgentCheck(socket));
        try (FdListener _ = FdListener.bind(socket)) {
            assertResult(Result.Status.OK, new AgentCheck(socket));
        }
        assertResult(Result.Status.CRITICAL, new AgentCheck(socket));
    }

    private static Marks marks(Map<String, String> configured) {
        HealthChecks.Config config = (HealthChecks.Config) Proxy.newProxyInstance(
                HealthChecks.Config.class.getClassLoader(),
                new Class<?>[] {HealthChecks.Config.class},
                (_, method, _) -> {
                    String value = configured.get(method.getName().replace('_', '.'));
                    if (value == null) {
                        return method.getDefaultValue();
                    }
                    return method.getReturnType() == int.class ? (Object) Integer.valueOf(value) : value;
                });
        return Marks.of(config, configured);
    }

    @Test
    void the_defaults_expect_no_agent() {
        assertEquals(new Marks(90, 64 << 20, Optional.empty()), marks(Map.of()));
        assertEquals(
                Optional.of(Path.of("/run/a.socket")),
                marks(Map.of("agent.socket", "/run/a.socket")).agent());
    }

    @Test
    void an_invalid_mark_is_named() {
        for (Map<String, String> wrong : List.of(
                Map.of("used.percent", "0"),
                Map.of("used.percent", "101"),
                Map.of("used.percent", "-1"),
                Map.of("lingering", "much"),
                Map.of("lingering", "-1"),
                Map.of("lingering", "9999999T"),
                Map.of("agent.socket", "run.socket"),
                Map.of("agent.socket", "/run/\0"))) {
            String name = wrong.keySet().iterator().next();
            String reason =
                    assertThrows(HeapException.class, () -> marks(wrong), name).reason();
            assertTrue(reason.startsWith("invalid " + name + " = "), reason);
        }
    }
}
