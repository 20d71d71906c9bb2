// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dmabuf.heap.HeapProperties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConstraintValueTest {
    private static final long FRAME = 614_400;

    private static ConstraintValue value(String text) {
        return Demand.parse("d " + text, RandomConstraints.VENDORS).value();
    }

    private static boolean met(String text, Map<String, Object> heap, long size) {
        return value(text).isMetBy(HeapFacts.of(heap), size);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "address=32bit | 32bit",
                "address=0-0xffffffff | 32bit",
                "address=0x80000000-0x8fffffff | 0x80000000-0x8fffffff",
                "address=2G-0x8fffffff | 0x80000000-0x8fffffff",
                "address=64bit | any",
                "address=63bit | any",
                "address=0-0 | 0x0-0x0",
                "alignment=65536 | 64K",
                "alignment=0x100000 | 1M",
                "granule=49152 | 48K",
                "granule=1 | any",
                "size.min=0 | any",
                "size.max=9223372036854775807 | any",
                "cpu=uncached,cached | cached,uncached",
                "not-heap=linux%2Ccma,%61ny,%61 | a,%61ny,linux%2Ccma",
                "dmabuf=true | true",
                "sg=1xany | contiguous",
                "sg=64x65536,10xany | 10xany,64x64K",
                "sg=64x64K,64x4K,100x4K | 64x4K",
                "sg=contiguous,64x64K | contiguous,64x64K",
            })
    void equal_values_have_one_text(String text, String canonical) {
        assertEquals(canonical, value(text).toString());
        assertEquals(value(text), value(text.replaceAll("=.*", "=" + canonical)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "address=65bit | expected a range such as 0x0-0x3fffffff or 30bit, or any",
                "address=0x2-0x1 | expected a range",
                "address=0-0x8000000000000000 | expected a range",
                "address=- | expected a range",
                "address=5 | expected a range",
                "alignment=0 | expected a number from 1, or any",
                "alignment=8388608T | expected a number",
                "alignment=-1 | expected a number",
                "alignment=9223372036854775808 | expected a number",
                "boundary=12K | expected a power of two, or any",
                "size.min=1.5M | expected a number",
                "cpu=casched | expected words separated by ',': cached, none, uncached, or any",
                "cpu=cached, | expected words",
                "numa=any,1 | expected words",
                "not-heap=a%2c | expected words",
                "not-heap=a% | expected words",
                "not-heap= | expected words",
                "dmabuf=yes | expected true, or any",
                "sg=0x4K | expected 'contiguous', or pairs ENTRIESxBYTES separated by ','",
                "sg=4x0 | expected 'contiguous'",
            })
    void another_form_is_refused_with_the_expected_one(String text, String expected) {
        String message =
                assertThrows(IllegalArgumentException.class, () -> value(text)).getMessage();
        assertTrue(message.startsWith("invalid " + text.replace("=", " = '") + "': "), message);
        assertTrue(message.contains(expected), message);
    }

    @Test
    void a_least_common_multiple_that_overflows_has_no_value_instead_of_a_wrong_one() {
        assertEquals(Optional.empty(), value("alignment=2305843009213693951").merge(value("alignment=1099511627776")));
        assertEquals(
                "192K",
                value("granule=48K").merge(value("granule=64K")).orElseThrow().toString());
        assertEquals(
                "64K",
                value("granule=64K").merge(value("granule=64K")).orElseThrow().toString());
    }

    @Test
    void values_of_two_kinds_cannot_be_merged() {
        ConstraintValue most = Demand.of("d", ConstraintKind.atMost("bank", "acme.bank"), "4", "")
                .value();
        ConstraintValue least = Demand.of("d", ConstraintKind.atLeast("bank", "acme.bank"), "4", "")
                .value();
        assertThrows(IllegalArgumentException.class, () -> most.merge(least));
    }

    @Test
    void the_limits_of_two_scatter_lists_stay_pairs() {
        ConstraintValue both = value("sg=10xany").merge(value("sg=256x64K")).orElseThrow();
        assertEquals("10xany,256x64K", both.toString());
        HeapFacts huge = HeapFacts.of(Map.of(HeapProperties.CONTIGUOUS_MAX, 2L << 20));
        assertTrue(both.isMetBy(huge, 12L << 20)); // 6 entries of 2 MiB, or 192 of 64 KiB
        assertFalse(value("sg=10x64K").isMetBy(huge, 12L << 20));
    }

    @Test
    void a_folio_serves_a_contiguous_device_and_not_one_that_counts_entries() {
        Map<String, Object> udmabuf = Map.of(HeapProperties.CONTIGUOUS_MAX, 2L << 20, HeapProperties.SG_ENTRY, 4096L);
        assertTrue(met("sg=contiguous", udmabuf, FRAME));
        assertFalse(met("sg=contiguous", udmabuf, (2L << 20) + 1));
        assertFalse(met("sg=64xany", udmabuf, FRAME));
        assertTrue(met("sg=150xany", udmabuf, FRAME));
        assertFalse(met("sg=contiguous,64xany", udmabuf, FRAME));
    }

    @Test
    void the_size_that_the_heap_makes_is_compared_and_not_the_requested_one() {
        Map<String, Object> heap = Map.of(
                HeapProperties.SIZE_GRANULE, 2L << 20, HeapProperties.SG_ENTRY, 4096L, HeapProperties.CONTIGUOUS, true);
        assertFalse(met("sg=64x64K", heap, 200 << 10)); // 512 entries
        assertTrue(met("sg=512x64K", heap, 200 << 10));
        assertTrue(met("sg=contiguous", heap, 200 << 10));
        assertFalse(met("size.max=1M", heap, 200 << 10));
        assertTrue(met("size.max=2M", heap, 200 << 10));
        assertTrue(met("granule=100K", heap, 200 << 10)); // the device uses no more
        HeapFacts facts = HeapFacts.of(heap);
        assertEquals(4L << 20, facts.sizeOf((2L << 20) + 1));
        assertEquals(Long.MAX_VALUE, facts.sizeOf(Long.MAX_VALUE));
        assertEquals(5, HeapFacts.of(Map.of()).sizeOf(5));
    }

    @Test
    void an_emulated_property_meets_no_demand_even_if_it_is_announced() {
        Map<String, Object> heap = Map.of(HeapProperties.CONTIGUOUS, true, HeapProperties.PROTECTED, true);
        assertTrue(met("sg=contiguous", heap, FRAME));
        assertTrue(met("protected=true", heap, FRAME));
        for (Object emulated : List.of(List.of("contiguous", "protected"), new String[] {"protected", "contiguous"})) {
            Map<String, Object> emulating = Map.of(
                    HeapProperties.CONTIGUOUS, true, HeapProperties.PROTECTED, true, HeapProperties.EMULATES, emulated);
            assertFalse(met("sg=contiguous", emulating, FRAME));
            assertFalse(met("protected=true", emulating, FRAME));
        }
    }

    @Test
    void the_range_of_a_heap_follows_from_its_ends_and_from_its_address_bits() {
        Map<String, Object> cma =
                Map.of(HeapProperties.ADDRESS_MIN, 0x2C00_0000L, HeapProperties.ADDRESS_MAX, 0x3BFF_FFFFL);
        assertTrue(met("address=30bit", cma, 1));
        assertTrue(met("address=0x2c000000-0x3bffffff", cma, 1));
        assertFalse(met("address=0x2c000001-0x3bffffff", cma, 1));
        assertFalse(met("address=29bit", cma, 1));
        assertTrue(met("address=32bit", Map.of(HeapProperties.DMA_BITS, 32), 1));
        assertFalse(met("address=31bit", Map.of(HeapProperties.DMA_BITS, 32), 1));
        assertFalse(met("address=62bit", Map.of(HeapProperties.DMA_BITS, 64), 1));
        assertFalse(met("address=62bit", Map.of(HeapProperties.ADDRESS_MIN, 0L), 1));
        assertEquals(0x1000_0000L, HeapFacts.of(cma).addressSpan());
    }

    @Test
    void the_access_of_the_cpu_follows_from_three_properties() {
        assertTrue(met("cpu=cached", Map.of(), 1));
        assertTrue(met("cpu=uncached", Map.of(HeapProperties.CACHED, false), 1));
        assertTrue(met("cpu=none", Map.of(HeapProperties.MAPPABLE, false), 1));
        assertTrue(met("cpu=none", Map.of(HeapProperties.PROTECTED, true), 1));
        assertFalse(met("cpu=cached,uncached", Map.of(HeapProperties.PROTECTED, true), 1));
    }

    @Test
    void all_words_of_a_heap_must_be_permitted() {
        assertTrue(met("numa=0,1", Map.of(HeapProperties.NUMA, List.of(0, 1)), 1));
        assertFalse(met("numa=0", Map.of(HeapProperties.NUMA, new int[] {0, 1}), 1));
        assertTrue(met("acme.bank=a,b", Map.of("acme.bank", "a"), 1));
        assertFalse(met("acme.bank=a,b", Map.of("acme.bank", List.of()), 1));
        assertFalse(met("acme.bank=a,true", Map.of("acme.bank", List.of("a", true)), 1));
    }

    @Test
    void words_can_have_any_characters() {
        Set<String> names = Set.of("linux,cma", "any", "kamera-\u00fc", "100%");
        ConstraintValue value = ConstraintValue.ofWords(ConstraintKind.NOT_HEAP, names);
        assertEquals("100%25,%61ny,kamera-%C3%BC,linux%2Ccma", value.toString());
        assertEquals(names, value.words());
        assertEquals(names, value("not-heap=" + value).words());
        for (String name : names) {
            assertFalse(value.isMetBy(HeapFacts.of(Map.of(HeapProperties.NAME, name)), 1), name);
        }
        assertEquals(Set.of(), value("numa=any").words());
        assertEquals(Set.of("0", "1"), value("numa=1,0").words());
        assertThrows(IllegalArgumentException.class, () -> ConstraintValue.ofWords(ConstraintKind.NOT_HEAP, Set.of()));
        assertThrows(IllegalArgumentException.class, () -> ConstraintValue.ofWords(ConstraintKind.DMABUF, Set.of("x")));
    }

    @Test
    void no_word_of_a_heap_may_be_excluded_and_a_heap_without_words_proves_nothing() {
        Map<String, Object> system = Map.of(HeapProperties.NAME, "system");
        assertFalse(met("not-heap=cma,system", system, 1));
        assertTrue(met("not-heap=cma", system, 1));
        assertFalse(met("acme.not-bank=a", Map.of("acme.bank", List.of("a", "b")), 1));
        assertTrue(met("acme.not-bank=c", Map.of("acme.bank", List.of("a", "b")), 1));
        assertFalse(met("acme.not-bank=c", Map.of("acme.bank", List.of("a", true)), 1));
        assertFalse(met("acme.not-bank=c", Map.of(), 1));
        assertEquals(
                "cma,system",
                value("not-heap=system")
                        .merge(value("not-heap=cma"))
                        .orElseThrow()
                        .toString());
    }

    @Test
    void a_property_of_a_wrong_type_meets_nothing() {
        assertFalse(met("acme.least=1", Map.of("acme.least", 5.0), 1));
        assertFalse(met("acme.least=1", Map.of("acme.least", "5"), 1));
        assertFalse(met("acme.most=1", Map.of("acme.most", -5L), 1));
        assertFalse(met("acme.fast=true", Map.of("acme.fast", "true"), 1));
    }

    @Test
    void the_size_that_the_broker_chooses_counts_as_a_fact() {
        assertTrue(met("size.max=1M", Map.of(), 1L << 20));
        assertFalse(met("size.max=1M", Map.of(), (1L << 20) + 1));
        assertTrue(met("granule=48K", Map.of(), 96L << 10));
    }
}
