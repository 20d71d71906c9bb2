// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;

/**
 * Set of 64-bit values: those whose bits in a mask equal given bits. It is the only kind of condition of libseccomp
 * with which a set and its complement can be written.
 *
 * @param mask bits that count
 * @param bits their values; 0 outside the mask
 */
record Masked(long mask, long bits) {
    private static final int LOW_BITS = 16;
    private static final long LOW_WORD = 0xffff;

    Masked {
        bits &= mask;
    }

    /** {@return the values that are in both sets; empty if the sets have no common value} */
    Optional<Masked> and(Masked other) {
        return (mask & other.mask & (bits ^ other.bits)) == 0
                ? Optional.of(new Masked(mask | other.mask, bits | other.bits))
                : Optional.empty();
    }

    /** {@return disjoint sets with exactly the values whose low 16 bits are one of the given words} */
    static List<Masked> lowWordsIn(SortedSet<Integer> words) {
        return halves(words, 0, LOW_BITS, true);
    }

    /** {@return disjoint sets with exactly the values whose low 16 bits are no one of the given words} */
    static List<Masked> lowWordsNotIn(SortedSet<Integer> words) {
        return halves(words, 0, LOW_BITS, false);
    }

    /** Halves a range of words, until all of its words are given or no one is. */
    private static List<Masked> halves(SortedSet<Integer> words, int first, int freeBits, boolean given) {
        int size = 1 << freeBits;
        SortedSet<Integer> inside = words.subSet(first, first + size);
        if (inside.isEmpty() || inside.size() == size) {
            return inside.isEmpty() == given ? List.of() : List.of(new Masked(LOW_WORD & ~(size - 1L), first));
        }
        List<Masked> sets = new ArrayList<>(halves(inside, first, freeBits - 1, given));
        sets.addAll(halves(inside, first + size / 2, freeBits - 1, given));
        return sets;
    }
}
