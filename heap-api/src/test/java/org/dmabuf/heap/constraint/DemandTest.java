// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapRefusedException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DemandTest {
    private static final String BITS = "/dev/video0 address=32bit /sys/class/video4linux/video0/device/dma_mask_bits";

    @Test
    void a_demand_has_a_device_a_kind_a_value_and_a_reason() {
        Demand demand = Demand.parse(BITS);
        assertEquals("/dev/video0", demand.who());
        assertSame(ConstraintKind.ADDRESS, demand.kind());
        assertEquals("32bit", demand.value().toString());
        assertEquals("/sys/class/video4linux/video0/device/dma_mask_bits", demand.why());
        assertEquals(demand, Demand.of("/dev/video0", ConstraintKind.ADDRESS, "0-0xffffffff", demand.why()));
        assertNotEquals(demand, Demand.parse("/dev/video0 address=32bit"));
        assertEquals(
                "/dev/video0 address=32bit",
                Demand.parse(" /dev/video0  address=32bit ").toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "x address", "x address:32bit", "x =1", "x Address=1", "x address=32bit a\nb"})
    void another_form_is_refused(String text) {
        assertThrows(IllegalArgumentException.class, () -> Demand.parse(text));
    }

    @Test
    void a_device_with_blanks_is_refused() {
        assertThrows(
                IllegalArgumentException.class, () -> Demand.of("/dev/my video", ConstraintKind.DMABUF, "true", ""));
        assertThrows(
                IllegalArgumentException.class, () -> AllocationRequest.of(1).forDevices("/dev/my video"));
        assertThrows(
                IllegalArgumentException.class, () -> AllocationRequest.of(1).forDevices("/dev/a", "/dev/a"));
    }

    @Test
    void an_unknown_kind_is_kept_and_met_by_no_heap() {
        Demand demand = Demand.parse("/dev/npu bank=2 etc/npu.cfg");
        assertTrue(demand.kind().isUnknown());
        assertEquals("/dev/npu bank=2 etc/npu.cfg", demand.toString());
        Map<String, Object> heap = Map.of("acme.bank", 2, "bank", 2);
        assertFalse(demand.value().isMetBy(HeapFacts.of(heap), 1));
        ConstraintKind bank = ConstraintKind.parse("bank one-of acme.bank");
        assertTrue(Demand.parse("/dev/npu bank=2", List.of(bank)).value().isMetBy(HeapFacts.of(heap), 1));
    }

    @Test
    void a_vendors_kind_is_read_from_its_declaration() {
        for (ConstraintKind kind : RandomConstraints.VENDORS) {
            assertEquals(kind, ConstraintKind.parse(kind.toString()));
        }
        assertNotEquals(ConstraintKind.atMost("bank", "acme.bank"), ConstraintKind.atLeast("bank", "acme.bank"));
        assertSame(ConstraintKind.DMABUF, ConstraintKind.must("dmabuf", "heap.dmabuf"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bank",
                "bank one-of",
                "bank plus acme.bank",
                "bank lists acme.bank",
                "bank unknown acme.bank",
                "bank one-of size",
                "bank one-of acme",
                "Bank one-of acme.bank",
                "address one-of acme.bank",
                "bank one-of acme.bank more"
            })
    void another_declaration_is_refused(String text) {
        assertThrows(IllegalArgumentException.class, () -> ConstraintKind.parse(text));
    }

    @Test
    void a_conflict_states_the_demands_and_the_remedies() {
        Demand cached = Demand.parse("reader cpu=cached");
        Demand uncached = Demand.parse("scanout cpu=uncached etc/scanout.cfg");
        DemandConflict conflict = DemandConflict.of(true, List.of(cached, uncached), List.of(List.of("wc"), List.of()));
        assertEquals(
                "no heap can meet cpu=cached of reader and cpu=uncached of scanout (etc/scanout.cfg); without cpu of"
                        + " reader: wc; without cpu of scanout: no serving heap either",
                conflict.toString());
        assertEquals(List.of("wc"), conflict.servingWithout(cached));
        assertThrows(IllegalArgumentException.class, () -> conflict.servingWithout(Demand.parse(BITS)));
        assertThrows(IllegalArgumentException.class, () -> DemandConflict.of(true, List.of(), List.of()));
    }

    @Test
    void an_exception_keeps_its_conflict_when_it_is_copied() throws Exception {
        DemandConflict conflict = DemandConflict.of(
                false,
                RandomConstraints.KINDS.stream()
                        .map(new RandomConstraints(1)::demand)
                        .toList(),
                RandomConstraints.KINDS.stream().map(kind -> List.of("cma")).toList());
        HeapException refusal = HeapException.ofConflict("plan for a buffer of 1 MiB", conflict, List.of());
        assertEquals(HeapRefusedException.class, refusal.getClass());
        assertEquals(Errno.ENODEV, refusal.errno());
        DemandConflict copy = ((HeapException) copy(refusal)).conflict().orElseThrow();
        assertEquals(conflict.demands(), copy.demands());
        assertEquals(conflict.toString(), copy.toString());
        assertFalse(copy.isContradiction());
        assertTrue(HeapException.of(Errno.ENOMEM, "no").conflict().isEmpty());
        conflict = DemandConflict.of(true, List.of(Demand.parse(BITS)), List.of(List.of()));
        assertEquals(
                Errno.EINVAL,
                HeapException.ofConflict("plan", conflict, List.of()).errno());
    }

    private static Object copy(Object original) throws IOException, ClassNotFoundException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(original);
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            return in.readObject();
        }
    }
}
