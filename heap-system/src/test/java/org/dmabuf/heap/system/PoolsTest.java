// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests of configured pools. */
class PoolsTest {
    private final Announced announced = new Announced();

    private static SystemHeap.Config config(String prewarm, String recycle) {
        return Configs.config("system", 0, 0, "memfd", prewarm, recycle);
    }

    private static boolean keeps() {
        return Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().equals("dmaheap-pool-system"));
    }

    @Test
    void pools_are_off_by_default_without_a_thread() throws NoSuchMethodException {
        assertEquals(
                0, ((String[]) SystemHeap.Config.class.getMethod("pool_prewarm").getDefaultValue()).length);
        assertEquals("0", SystemHeap.Config.class.getMethod("pool_recycle").getDefaultValue());
        assertEquals(60, SystemHeap.Config.class.getMethod("pool_idle_s").getDefaultValue());
        SystemHeap heap = new SystemHeap(announced.context(), config("", "0"), Map.of());
        assertEquals(List.of(), announced.heaps().getFirst().exporter().usage().pools());
        assertFalse(keeps());
        heap.withdraw();
    }

    @Test
    void a_withdrawn_heap_with_pools_leaves_only_buffers_in_use() {
        ProcessState before = ProcessState.now();
        SystemHeap heap = new SystemHeap(announced.context(), config("64K=4 1M=2", "1M"), Map.of());
        HeapExporter exporter = announced.heaps().getFirst().exporter();
        HeapBuffer exported = exporter.allocate(HeapRequest.of(64 << 10));
        HeapBuffer recycled = exporter.allocate(HeapRequest.of(64 << 10).withExport(ExportMode.NONE));
        exporter.allocate(HeapRequest.of(64 << 10).withExport(ExportMode.NONE)).release();
        assertTrue(keeps());
        heap.withdraw();
        assertFalse(keeps());
        exported.release();
        recycled.release();
        before.assertNothingLeft();
    }

    /** Declarative Services converts the text to a number only when it is read. */
    @Test
    void an_idle_time_that_is_not_a_number_is_refused() {
        SystemHeap.Config config = (SystemHeap.Config) Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {SystemHeap.Config.class},
                (_, method, _) ->
                        method.getName().equals("pool_idle_s") ? Integer.valueOf("60s") : method.getDefaultValue());
        new SystemHeap(announced.context(), config, Map.of("pool.idle.s", "60s"));
        assertEquals(
                "invalid pool.idle.s = 60s in org.dmabuf.heap.system: expected a whole number from 1 to 2147483647",
                announced.refusal());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "64K      | 0  | pool.prewarm = 64K in org.dmabuf.heap.system: expected SIZE=COUNT",
                "64K=many | 0  | pool.prewarm = 64K=many in",
                "64K=-1   | 0  | pool.prewarm = 64K=-1 in",
                "0=1      | 0  | pool.prewarm = 0=1 in",
                "9999999999G=9 | 0 | pool.prewarm = 9999999999G=9 in",
                "8388607G=2000000000 | 0 | pool.prewarm = 8388607G=2000000000 in",
                "4K=1     | all | pool.recycle = all in org.dmabuf.heap.system: expected bytes, or a",
                "4K=1     | -1 | pool.recycle = -1 in",
            })
    void an_invalid_setting_is_reported_and_nothing_is_registered(String prewarm, String recycle, String sentence) {
        ProcessState before = ProcessState.now();
        new SystemHeap(announced.context(), config(prewarm, recycle), Map.of());
        assertTrue(announced.refusal().startsWith("invalid " + sentence), announced.refusal());
        before.assertNothingLeft();
    }
}
