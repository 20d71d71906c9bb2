// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.util.AbstractCollection;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class HeapDescriptionTest {
    private static final String PEERS_UNREADABLE =
            "invalid heap.peers: expected an Integer, or an array or one of Java's own collections of Integers";

    private static HeapDescription describe(Map<String, ?> properties) throws HeapDescription.Refused {
        Map<String, Object> all = new HashMap<>(Map.of(HeapProperties.NAME, "camera"));
        all.putAll(properties);
        return HeapDescription.of(all, "org.example.camera");
    }

    private static String refusal(Map<String, ?> properties) {
        return assertThrows(HeapDescription.Refused.class, () -> HeapDescription.of(properties, "org.example.camera"))
                .getMessage();
    }

    private static String refusal(String key, Object value) {
        return refusal(Map.of(HeapProperties.NAME, "camera", key, value));
    }

    @Test
    void the_name_of_adopted_memory_is_reserved() {
        assertEquals(
                "heap.name 'adopted' is reserved for adopted memory", refusal(Map.of(HeapProperties.NAME, "adopted")));
    }

    @Test
    void a_heap_that_announces_only_its_name_has_the_defaults() throws Exception {
        HeapDescription heap = describe(Map.of());
        assertEquals("camera", heap.name());
        assertEquals(OptionalInt.empty(), heap.id());
        assertEquals(0, heap.priority());
        assertEquals(4096, heap.alignment());
        assertFalse(heap.readOnlyExport());
        assertEquals(Set.of(), heap.emulates());
        assertEquals(Map.of(HeapProperties.NAME, "camera"), heap.properties());
        assertEquals("org.example.camera", heap.bundle());
    }

    @Test
    void every_announced_property_is_used() throws Exception {
        Map<String, Object> all = new HashMap<>();
        all.put(HeapProperties.ID, 63);
        all.put(HeapProperties.TYPE, "cma");
        all.put(HeapProperties.PRIORITY, -5);
        all.put(HeapProperties.DMABUF, true);
        all.put(HeapProperties.CONTIGUOUS, true);
        all.put(HeapProperties.CONTIGUOUS_MAX, 1L << 21);
        all.put(HeapProperties.CACHED, false);
        all.put(HeapProperties.PROTECTED, true);
        all.put(HeapProperties.MAPPABLE, false);
        all.put(HeapProperties.EXPORT_READONLY, true);
        all.put(HeapProperties.ALIGNMENT, 1L << 30);
        all.put(HeapProperties.DMA_BITS, 32);
        all.put(HeapProperties.BACKEND, "dma-heap");
        all.put(HeapProperties.EMULATES, "protected");
        all.put(HeapProperties.ADDRESS_MIN, 0x2C00_0000L);
        all.put(HeapProperties.ADDRESS_MAX, 0x3BFF_FFFFL);
        all.put(HeapProperties.SIZE_MAX, 1L << 26);
        all.put(HeapProperties.SIZE_GRANULE, 1L << 21);
        all.put(HeapProperties.SG_ENTRY, 4096L);
        all.put(HeapProperties.NUMA, 0);
        all.put(HeapProperties.CONSTRAINT_KINDS, "bank one-of acme.bank");
        HeapDescription heap = describe(all);
        assertEquals(OptionalInt.of(63), heap.id());
        assertEquals(-5, heap.priority());
        assertEquals(1L << 30, heap.alignment());
        assertTrue(heap.readOnlyExport());
        assertEquals(Set.of("protected"), heap.emulates());
        assertEquals(1 << 26, heap.facts().largestSize());
        assertEquals(0x1000_0000, heap.facts().addressSpan());
        assertEquals(List.of(ConstraintKind.oneOf("bank", "acme.bank")), heap.kinds());
        all.put(HeapProperties.NAME, "camera");
        assertEquals(all, heap.properties());
    }

    @Test
    void a_number_may_be_an_integer_or_a_long() throws Exception {
        HeapDescription heap =
                describe(Map.of(HeapProperties.ID, 7L, HeapProperties.PRIORITY, 3L, HeapProperties.ALIGNMENT, 65536));
        assertEquals(OptionalInt.of(7), heap.id());
        assertEquals(3, heap.priority());
        assertEquals(65536, heap.alignment());
    }

    @ParameterizedTest
    @ValueSource(strings = {"linux,cma", "memory@42000000-contiguous", "protected,secure-video", ".", "a.b", "é"})
    void names_of_kernel_heaps_are_valid(String name) throws Exception {
        assertEquals(
                name, HeapDescription.of(Map.of(HeapProperties.NAME, name), "b").name());
    }

    @Test
    void a_name_has_at_most_64_characters() throws Exception {
        String longest = "n".repeat(64);
        assertEquals(
                longest,
                HeapDescription.of(Map.of(HeapProperties.NAME, longest), "b").name());
        assertTrue(refusal(Map.of(HeapProperties.NAME, longest + "n")).contains("at most 64 printable characters"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"a b", " a", "a/b", "..", "a..b", "a\nb", "a\tb", "a\u007f", "a\u0085b", "a\u00a0b", "a\u3000b"})
    void a_name_with_a_blank_a_slash_two_dots_or_a_control_character_is_invalid(String name) {
        assertTrue(refusal(Map.of(HeapProperties.NAME, name)).startsWith("invalid heap.name = '"));
    }

    @Test
    void a_refusal_of_a_name_shows_no_control_character() {
        assertTrue(
                refusal(Map.of(HeapProperties.NAME, "a\nWARN b")).codePoints().noneMatch(Character::isISOControl));
    }

    @Test
    void a_heap_without_a_name_is_refused() {
        String sentence = "invalid heap.name: expected a String that is not empty";
        assertEquals(sentence, refusal(Map.of()));
        assertEquals(sentence, refusal(Map.of(HeapProperties.NAME, "")));
        assertEquals(sentence, refusal(Map.of(HeapProperties.NAME, 7)));
    }

    static Stream<Arguments> wrong() {
        return Stream.of(
                arguments(HeapProperties.ID, "7", "of type String: expected an Integer or a Long"),
                arguments(HeapProperties.ID, 7.0, "of type Double: expected an Integer or a Long"),
                arguments(HeapProperties.ID, -1, "= -1: expected 0 to 63"),
                arguments(HeapProperties.ID, 64, "= 64: expected 0 to 63"),
                arguments(HeapProperties.ID, 1L << 32, "= 4294967296: expected 0 to 63"),
                arguments(HeapProperties.PRIORITY, "high", "of type String: expected an Integer or a Long"),
                arguments(HeapProperties.PRIORITY, 1L << 31, "= 2147483648: expected -2147483648 to 2147483647"),
                arguments(HeapProperties.ALIGNMENT, "4096", "of type String: expected an Integer or a Long"),
                arguments(HeapProperties.ALIGNMENT, 0L, "= 0: expected 1 to 9223372036854775807"),
                arguments(HeapProperties.ALIGNMENT, -4096L, "= -4096: expected 1 to 9223372036854775807"),
                arguments(HeapProperties.ALIGNMENT, Long.MIN_VALUE, ": expected 1 to 9223372036854775807"),
                arguments(HeapProperties.ALIGNMENT, 4097L, "= 4097: expected a power of two"),
                arguments(HeapProperties.CONTIGUOUS_MAX, "9", "of type String: expected an Integer or a Long"),
                arguments(HeapProperties.CONTIGUOUS_MAX, 0L, "= 0: expected 1 to 9223372036854775807"),
                arguments(HeapProperties.DMA_BITS, "32", "of type String: expected an Integer or a Long"),
                arguments(HeapProperties.DMA_BITS, 0, "= 0: expected 1 to 64"),
                arguments(HeapProperties.DMA_BITS, 65, "= 65: expected 1 to 64"),
                arguments(HeapProperties.SIZE_MAX, -1L, "= -1: expected 0 to 9223372036854775807"),
                arguments(HeapProperties.SIZE_GRANULE, 0L, "= 0: expected 1 to 9223372036854775807"),
                arguments(HeapProperties.SG_ENTRY, 4097L, "= 4097: expected a power of two"),
                arguments(HeapProperties.ADDRESS_MIN, -1L, "= -1: expected 0 to 9223372036854775807"),
                arguments(HeapProperties.ADDRESS_MAX, "4G", "of type String: expected an Integer or a Long"),
                arguments(
                        HeapProperties.CONSTRAINT_KINDS,
                        "address one-of acme.bank",
                        "expected another name, because 'address' is a standard kind"),
                arguments(
                        HeapProperties.CONSTRAINT_KINDS,
                        List.of("bank one-of acme.bank", "bank"),
                        "with one of the operators range, multiple, at-most, at-least, one-of, none-of, must"),
                arguments(HeapProperties.DMABUF, "true", "of type String: expected a Boolean"),
                arguments(HeapProperties.CONTIGUOUS, 1, "of type Integer: expected a Boolean"),
                arguments(HeapProperties.CACHED, "false", "of type String: expected a Boolean"),
                arguments(HeapProperties.PROTECTED, "yes", "of type String: expected a Boolean"),
                arguments(HeapProperties.MAPPABLE, 0, "of type Integer: expected a Boolean"),
                arguments(HeapProperties.EXPORT_READONLY, "true", "of type String: expected a Boolean"),
                arguments(HeapProperties.TYPE, 7, "of type Integer: expected a String"),
                arguments(HeapProperties.BACKEND, true, "of type Boolean: expected a String"),
                arguments(HeapProperties.EMULATES, 7, "expected a String or a list of Strings"),
                arguments(
                        HeapProperties.EMULATES,
                        new Object[] {"contiguous", 7},
                        "expected a String or a list of Strings"),
                arguments(HeapProperties.EMULATES, new String[] {null}, "expected a String or a list of Strings"),
                arguments(HeapProperties.EMULATES, Arrays.asList("a", null), "expected a String or a list of Strings"),
                arguments(HeapProperties.EMULATES, List.of(1), "expected a String or a list of Strings"));
    }

    @ParameterizedTest
    @MethodSource("wrong")
    void an_invalid_value_is_refused_with_its_property(String key, Object value, String reason) {
        String sentence = refusal(key, value);
        assertTrue(sentence.startsWith("invalid " + key) && sentence.endsWith(reason), sentence);
    }

    @Test
    void the_highest_address_is_not_below_the_lowest() {
        String sentence = refusal(Map.of(
                HeapProperties.NAME, "camera", HeapProperties.ADDRESS_MIN, 8192L, HeapProperties.ADDRESS_MAX, 4096L));
        assertEquals("invalid heap.address.max = 4096: expected 8192 to 9223372036854775807", sentence);
    }

    @Test
    void a_property_without_a_value_counts_as_absent() throws Exception {
        Map<String, Object> nulls = new HashMap<>();
        nulls.put(HeapProperties.DMABUF, null);
        nulls.put(HeapProperties.ALIGNMENT, null);
        assertEquals(4096, describe(nulls).alignment());
    }

    @Test
    void emulations_may_be_a_string_an_array_or_a_list() throws Exception {
        assertEquals(
                Set.of("contiguous"),
                describe(Map.of(HeapProperties.EMULATES, "contiguous")).emulates());
        assertEquals(
                Set.of("contiguous", "protected"),
                describe(Map.of(HeapProperties.EMULATES, new String[] {"protected", "contiguous"}))
                        .emulates());
        assertEquals(
                Set.of("contiguous", "protected"),
                describe(Map.of(HeapProperties.EMULATES, List.of("protected", "contiguous")))
                        .emulates());
        assertEquals(
                Set.of(),
                describe(Map.of(HeapProperties.EMULATES, new String[0])).emulates());
    }

    @Test
    void a_refused_heap_is_listed_under_its_name_or_a_label() {
        assertEquals(
                "camera",
                HeapDescription.refused("service 9", Map.of(HeapProperties.NAME, "camera"), "b")
                        .name());
        assertEquals(
                "service 9", HeapDescription.refused("service 9", Map.of(), "b").name());
        assertEquals(
                "service 9",
                HeapDescription.refused("service 9", Map.of(HeapProperties.NAME, ""), "b")
                        .name());
        assertEquals(
                "service 9",
                HeapDescription.refused("service 9", Map.of(HeapProperties.NAME, 4), "b")
                        .name());
    }

    /** Class of a vendor's bundle. */
    public static final class Foreign {
        @Override
        public String toString() {
            throw new AssertionError("a vendor's code ran");
        }
    }

    @Test
    void values_of_plain_types_are_kept_with_their_types() throws Exception {
        Map<String, Object> plain = Map.of(
                "a", "text", "b", 1, "c", 2L, "d", true, "e", 'x', "f", 1.5, "g", (short) 3, "h", (byte) 4, "i", 2.5f);
        Map<String, Object> kept = describe(plain).properties();
        plain.forEach((key, value) -> assertEquals(value, kept.get(key), key));
        assertEquals(
                List.of(1, 2),
                describe(Map.of("numbers", List.of(1, 2))).properties().get("numbers"));
        assertTrue(RoutesMatch.matches(describe(Map.of("n", new long[] {8, 64})), "(n=64)"));
        assertTrue(RoutesMatch.matches(describe(Map.of("n", new String[] {"a", "b"})), "(n=b)"));
        assertTrue(RoutesMatch.matches(describe(Map.of("n", List.of(8, 64))), "(n>=64)"));
    }

    /** Matches a filter with a description as the routing table does. */
    private static final class RoutesMatch {
        static boolean matches(HeapDescription description, String filter) throws Exception {
            RegisteredHeap heap = new RegisteredHeap(
                    0, 1, new FakeHeap(), new CallGate(), description, "", new HeapAccount("system"));
            RoutingTable routes = RoutingTable.of(List.of(heap), List.of());
            return routes.met(routes.meeting(filter), heap);
        }
    }

    static Stream<Object> foreign() {
        Foreign foreign = new Foreign();
        Map<Object, Object> map = new HashMap<>(Map.of("key", foreign));
        return Stream.of(
                foreign,
                new Foreign[] {foreign},
                new Object[] {foreign},
                new Object[][] {{foreign}},
                new Foreign[0][0],
                List.of(foreign),
                List.of(List.of(foreign)),
                map,
                Optional.of(foreign),
                Foreign.class,
                new Class<?>[] {Foreign.class},
                (Runnable) () -> {},
                Foreign.class.getClassLoader(),
                Thread.currentThread());
    }

    @ParameterizedTest
    @MethodSource("foreign")
    void a_value_that_could_hold_a_vendors_class_is_dropped(Object value) throws Exception {
        Object kept = describe(Map.of("vendor.thing", value)).properties().get("vendor.thing");
        assertTrue(kept == null || kept.equals(List.of()), () -> "kept " + kept.getClass());
    }

    /** Such a list can run any code when it is read, and can hang. */
    @Test
    void a_list_of_a_vendors_own_class_is_not_read() throws Exception {
        Collection<String> vendors = new AbstractCollection<>() {
            @Override
            public Iterator<String> iterator() {
                throw new AssertionError("it was read");
            }

            @Override
            public int size() {
                throw new AssertionError("it was read");
            }
        };
        HeapDescription.Refused refused =
                assertThrows(HeapDescription.Refused.class, () -> describe(Map.of(HeapProperties.EMULATES, vendors)));
        assertEquals(
                "heap.emulates cannot be read: its class is not one of Java's own collections", refused.getMessage());
        refused = assertThrows(HeapDescription.Refused.class, () -> describe(Map.of(HeapProperties.PEERS, vendors)));
        assertEquals(PEERS_UNREADABLE, refused.getMessage());
        assertFalse(describe(Map.of("vendor.list", vendors)).properties().containsKey("vendor.list"));
    }

    /** A list of Java's own class may be a view of a vendor's list. */
    @Test
    void a_list_that_cannot_be_read_is_reported_or_dropped() throws Exception {
        for (Throwable thrown : List.of(new IllegalStateException("torn"), new NoClassDefFoundError("org/example/X"))) {
            Collection<String> torn = Collections.unmodifiableCollection(new AbstractCollection<String>() {
                @Override
                public Iterator<String> iterator() {
                    if (thrown instanceof Error error) {
                        throw error;
                    }
                    throw (RuntimeException) thrown;
                }

                @Override
                public int size() {
                    return 1;
                }
            });
            HeapDescription.Refused refused =
                    assertThrows(HeapDescription.Refused.class, () -> describe(Map.of(HeapProperties.EMULATES, torn)));
            assertEquals("heap.emulates cannot be read: " + thrown, refused.getMessage());
            refused = assertThrows(HeapDescription.Refused.class, () -> describe(Map.of(HeapProperties.PEERS, torn)));
            assertEquals(PEERS_UNREADABLE, refused.getMessage());
            RecordedLog.clear();
            assertFalse(describe(Map.of("vendor.list", torn)).properties().containsKey("vendor.list"));
            assertEquals(
                    List.of("WARN property vendor.list of a heap of bundle org.example.camera cannot be read; report"
                            + " that to its vendor <" + thrown + ">"),
                    RecordedLog.lines());
        }
    }

    @Test
    void the_brokers_copy_cannot_be_changed_from_outside() throws Exception {
        String[] announced = {"contiguous"};
        List<String> list = new ArrayList<>(List.of("a"));
        HeapDescription heap = describe(Map.of(HeapProperties.EMULATES, announced, "vendor.list", list));
        announced[0] = "protected";
        list.add("b");
        assertEquals(Set.of("contiguous"), heap.emulates());
        assertFalse(RoutesMatch.matches(heap, "(heap.emulates=protected)"));
        assertEquals(List.of("a"), heap.properties().get("vendor.list"));
        assertThrows(
                UnsupportedOperationException.class, () -> heap.properties().put("x", 1));
        if (heap.properties().get(HeapProperties.EMULATES) instanceof Object[] array) {
            array[0] = "protected"; // a client could try this with the result of heaps()
        }
        assertFalse(RoutesMatch.matches(heap, "(heap.emulates=protected)"));
    }

    @Test
    void a_description_does_not_keep_a_vendors_class_loader_reachable() throws Exception {
        ClassLoader[] loader = {new VendorLoader()};
        Object vendor = loader[0]
                .loadClass(Foreign.class.getName())
                .getDeclaredConstructor()
                .newInstance();
        WeakReference<ClassLoader> gone = new WeakReference<>(loader[0]);
        Map<String, Object> announced = new HashMap<>();
        announced.put(HeapProperties.NAME, "camera");
        announced.put("vendor.thing", vendor);
        announced.put("vendor.class", vendor.getClass());
        announced.put("vendor.things", new Object[] {vendor});
        HeapDescription described = HeapDescription.of(announced, "b");
        HeapDescription refused = HeapDescription.refused("service 1", announced, "b");
        vendor = null;
        loader[0] = null;
        announced.clear();
        Await.untilCollected("the vendor's class loader is collected", () -> gone.refersTo(null));
        assertEquals("camera", described.name());
        assertEquals("camera", refused.name());
        assertNull(described.properties().get("vendor.class"));
    }

    /** Loader that loads the vendor's class itself, as a bundle does. */
    private static final class VendorLoader extends ClassLoader {
        VendorLoader() {
            super(HeapDescriptionTest.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.equals(Foreign.class.getName())) {
                return super.loadClass(name, resolve);
            }
            try (InputStream file = Foreign.class.getResourceAsStream("HeapDescriptionTest$Foreign.class")) {
                byte[] bytes = file.readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }

    @Test
    void an_accepted_emulation_counts_as_the_real_property() throws Exception {
        HeapDescription heap = describe(Map.of(HeapProperties.EMULATES, "contiguous", "heap.contiguous", false));
        assertEquals(true, heap.required().get("heap.contiguous"));
        assertEquals(false, heap.properties().get("heap.contiguous"));
        assertEquals("camera", heap.required().get(HeapProperties.NAME));
    }
}
