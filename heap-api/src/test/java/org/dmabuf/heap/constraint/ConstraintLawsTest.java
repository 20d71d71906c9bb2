// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Test of the laws that the values of every kind obey, over random values and heaps. */
class ConstraintLawsTest {
    private static final int ROUNDS = 1000;
    private static final long SEED = RandomConstraints.seed();

    @SuppressWarnings("unused") // by FieldSource
    static final List<ConstraintKind> KINDS = RandomConstraints.KINDS;

    private final RandomConstraints random = new RandomConstraints(SEED);

    @ParameterizedTest
    @FieldSource("KINDS")
    void merge_is_commutative(ConstraintKind kind) {
        for (int i = 0; i < ROUNDS; i++) {
            ConstraintValue a = random.value(kind);
            ConstraintValue b = random.value(kind);
            assertEquals(a.merge(b), b.merge(a), a + " and " + b);
        }
    }

    @ParameterizedTest
    @FieldSource("KINDS")
    void merge_is_associative_also_where_it_has_no_value(ConstraintKind kind) {
        for (int i = 0; i < ROUNDS; i++) {
            ConstraintValue a = random.value(kind);
            ConstraintValue b = random.value(kind);
            ConstraintValue c = random.value(kind);
            Optional<ConstraintValue> left = a.merge(b).flatMap(c::merge);
            Optional<ConstraintValue> right = b.merge(c).flatMap(a::merge);
            assertEquals(left, right, a + ", " + b + " and " + c);
        }
    }

    @ParameterizedTest
    @FieldSource("KINDS")
    void merge_is_idempotent(ConstraintKind kind) {
        for (int i = 0; i < ROUNDS; i++) {
            ConstraintValue a = random.value(kind);
            assertEquals(Optional.of(a), a.merge(a));
            a.merge(random.value(kind)).ifPresent(b -> assertEquals(Optional.of(b), b.merge(a)));
        }
    }

    @ParameterizedTest
    @FieldSource("KINDS")
    void any_is_neutral_and_every_heap_meets_it(ConstraintKind kind) {
        if (kind.isUnknown()) {
            return; // its values are not read, not even any
        }
        ConstraintValue any = ConstraintValue.parse(kind, "any");
        assertTrue(any.isAny());
        assertTrue(any.isMetBy(HeapFacts.of(Map.of()), 1));
        for (int i = 0; i < ROUNDS; i++) {
            ConstraintValue a = random.value(kind);
            assertEquals(Optional.of(a), a.merge(any));
        }
    }

    @ParameterizedTest
    @FieldSource("KINDS")
    void a_heap_meets_a_merged_value_exactly_if_it_meets_each(ConstraintKind kind) {
        int met = 0;
        for (int i = 0; i < 4 * ROUNDS; i++) {
            ConstraintValue a = random.value(kind);
            ConstraintValue b = random.value(kind);
            HeapFacts heap = HeapFacts.of(random.heap());
            long size = random.size();
            boolean each = a.isMetBy(heap, size) && b.isMetBy(heap, size);
            boolean merged = a.merge(b).map(both -> both.isMetBy(heap, size)).orElse(false);
            assertEquals(each, merged, a + " and " + b + " with " + size + " bytes of " + heap);
            met += each && !a.isAny() && !b.isAny() ? 1 : 0;
        }
        boolean possible = !kind.isUnknown() && kind != ConstraintKind.BUFFERS; // the broker counts buffers itself
        assertEquals(possible, met > 0, "heaps that met two values: " + met);
    }

    @ParameterizedTest
    @FieldSource("KINDS")
    void without_any_fact_only_any_is_met(ConstraintKind kind) {
        HeapFacts nothing = HeapFacts.of(Map.of());
        boolean hasDefault = List.of("sg", "alignment", "cpu", "mappable").contains(kind.name());
        boolean isShape = kind.fact().equals(ConstraintKind.SIZE);
        if (hasDefault || isShape) {
            return; // HeapProperties documents the value that an absent property has
        }
        for (int i = 0; i < ROUNDS; i++) {
            ConstraintValue value = random.value(kind);
            assertEquals(value.isAny(), value.isMetBy(nothing, random.size()), value::toString);
        }
    }

    @ParameterizedTest
    @FieldSource("KINDS")
    void a_canonical_text_is_read_as_the_same_value(ConstraintKind kind) {
        for (int i = 0; i < ROUNDS; i++) {
            ConstraintValue value = random.value(kind);
            ConstraintValue merged = value.merge(random.value(kind)).orElse(value);
            assertEquals(merged, ConstraintValue.parse(kind, merged.toString()));
            assertEquals(
                    merged.toString(),
                    ConstraintValue.parse(kind, merged.toString()).toString());
            assertFalse(merged.toString().matches(".*\\s.*"), merged::toString);
        }
    }

    @ParameterizedTest
    @FieldSource("KINDS")
    void a_demand_is_read_from_its_own_text(ConstraintKind kind) {
        for (int i = 0; i < ROUNDS; i++) {
            Demand demand = random.demand(kind);
            assertEquals(demand, Demand.parse(demand.toString(), RandomConstraints.VENDORS));
        }
    }
}
