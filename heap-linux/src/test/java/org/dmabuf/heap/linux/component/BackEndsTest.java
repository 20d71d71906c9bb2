// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BackEndsTest {
    private final HeapSettings settings =
            HeapSettings.of("org.example.acme", "acme", Map.of(), "frames", () -> -1, () -> 0);
    private final List<String> tried = new ArrayList<>();

    private static HeapException refusal(Errno errno, String reason) {
        return HeapException.of(errno, "frames", reason);
    }

    private OpenedHeap refuse(String what, Errno errno) {
        tried.add(what);
        throw refusal(errno, what + " is not there");
    }

    private BackEnds two(Errno first, Errno second) {
        return new BackEnds(settings)
                .with("device", () -> refuse("device", first))
                .with("region", () -> refuse("region", second));
    }

    @Test
    void auto_takes_the_first_that_opens_and_reports_why_the_better_ones_did_not() {
        OpenedHeap memory = OpenedHeap.none().with("heap.backend", "memfd");
        BackEnds.Choice choice =
                two(Errno.ENOENT, Errno.EACCES).with("memfd", () -> memory).choose(BackEnds.AUTO);
        assertEquals("memfd", choice.word());
        assertEquals("device is not there; and region is not there", choice.passedOver());
        assertEquals(List.of("device", "region"), tried);
    }

    @Test
    void auto_without_a_back_end_fails_with_the_last_reason() {
        BackEnds.Choice choice = two(Errno.EINVAL, Errno.ENOSYS).choose(BackEnds.AUTO);
        assertTrue(choice.isNone());
        assertEquals("device is not there; and region is not there", choice.passedOver());
        assertEquals(
                Errno.ENOSYS, assertThrows(HeapException.class, choice::opened).errno());
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"ENOENT", "ENODEV", "ENXIO", "EACCES"})
    void auto_without_a_back_end_fails_with_the_reason_of_one_that_may_come(Errno errno) {
        BackEnds.Choice choice = two(errno, Errno.ENOSYS).choose(BackEnds.AUTO);
        HeapException refusal = assertThrows(HeapException.class, choice::opened);
        assertEquals(errno, refusal.errno());
        assertEquals("device is not there", refusal.reason());
    }

    @Test
    void a_device_that_a_rule_forbids_may_come_and_a_call_that_a_sandbox_forbids_may_not() {
        assertTrue(BackEnds.mayCome(refusal(Errno.EPERM, "open(/dev/udmabuf) failed: operation not permitted")));
        assertFalse(BackEnds.mayCome(refusal(Errno.EPERM, "memfd_secret refused a buffer of 4 KiB")));
    }

    @Test
    void a_shortage_ends_the_search() {
        HeapException shortage = assertThrows(
                HeapException.class, () -> two(Errno.EMFILE, Errno.ENOENT).choose(BackEnds.AUTO));
        assertEquals(Errno.EMFILE, shortage.errno());
        assertEquals(List.of("device"), tried);
    }

    @Test
    void the_configured_back_end_is_used_or_its_failure_is_thrown() {
        assertEquals(
                Errno.EPERM,
                assertThrows(
                                HeapException.class,
                                () -> two(Errno.ENOENT, Errno.EPERM).choose("region"))
                        .errno());
        assertEquals(List.of("region"), tried);
        assertEquals(
                "heap 'frames': invalid backend = best in org.example.acme: expected auto, device or region",
                assertThrows(
                                HeapException.class,
                                () -> two(Errno.ENOENT, Errno.ENOENT).choose("best"))
                        .getMessage());
    }

    @Test
    void a_node_that_may_come_decides_about_the_error_of_several_nodes() {
        HeapException refusal = assertThrows(
                HeapException.class,
                () -> first(List.of("a", "b"), node -> refuse(node, node.equals("a") ? Errno.ENOENT : Errno.EINVAL)));
        assertEquals(Errno.ENOENT, refusal.errno());
    }

    private OpenedHeap first(List<String> nodes, Function<String, OpenedHeap> opener) {
        return BackEnds.firstNode(settings, nodes, opener, "fast", "buy one");
    }

    @Test
    void the_first_node_that_serves_is_used() {
        OpenedHeap memory = OpenedHeap.none();
        assertSame(memory, first(List.of("a", "b"), node -> node.equals("b") ? memory : refuse(node, Errno.EACCES)));
        assertEquals(List.of("a"), tried);
    }

    @Test
    void existing_nodes_that_do_not_serve_are_reported_with_a_reason() {
        HeapException none =
                assertThrows(HeapException.class, () -> first(List.of("a", "b"), node -> refuse(node, Errno.ENOENT)));
        assertEquals(Errno.ENOENT, none.errno());
        assertEquals(
                "heap 'frames': /dev/dma_heap/ has no fast heap (a b); load its module, buy one, and give a container"
                        + " its node (--device=/dev/dma_heap/NAME)",
                none.getMessage());
        HeapException one = assertThrows(
                HeapException.class,
                () -> first(List.of("a", "b"), node -> refuse(node, node.equals("a") ? Errno.ENOENT : Errno.EACCES)));
        assertEquals(Errno.EACCES, one.errno());
        assertEquals("heap 'frames': b is not there", one.getMessage());
        assertFalse(assertThrows(HeapException.class, () -> first(List.of(), node -> refuse(node, Errno.EIO)))
                .getMessage()
                .contains("is not there"));
    }
}
