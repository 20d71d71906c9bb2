// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import org.dmabuf.heap.nativeclient.protocol.Reply;

/**
 * Structs of ION_IOC_HEAP_QUERY. {@code ion_heap_query}: u32 count, u32 reserved, u64 address of the elements, u32
 * reserved, u32 reserved. {@code ion_heap_data}: char name[32], u32 type, u32 id, three u32 reserved.
 */
final class IonQuery {
    static final int BYTES = 24;
    static final int ELEMENT_BYTES = 52;

    private static final int NAME_BYTES = 31; // and a NUL
    private static final int ELEMENT_TYPE = 32;
    private static final int ELEMENT_ID = 36;
    private static final int HIGHEST_ID = 31;

    private IonQuery() {}

    /** {@return whether all reserved fields are 0} */
    static boolean isValid(MemorySegment query) {
        return query.get(JAVA_INT, 4) == 0 && query.get(JAVA_LONG, 16) == 0;
    }

    static int count(MemorySegment query) {
        return query.get(JAVA_INT, 0);
    }

    static void setCount(MemorySegment query, int count) {
        query.set(JAVA_INT, 0, count);
    }

    /** {@return address of the elements in the process, 0 to ask for their number} */
    static long elements(MemorySegment query) {
        return query.get(JAVA_LONG, 8);
    }

    /** {@return the heaps with an id that a mask of 32 bits can select, the highest first, as the kernel lists them} */
    static List<Reply.Heap> selectable(List<Reply.Heap> heaps) {
        return heaps.stream()
                .filter(heap -> Long.bitCount(heap.maskBit()) == 1 && id(heap) <= HIGHEST_ID)
                .sorted(Comparator.comparing(IonQuery::id).reversed())
                .toList();
    }

    private static int id(Reply.Heap heap) {
        return Long.numberOfTrailingZeros(heap.maskBit());
    }

    /** Writes a heap into an element. A long name is cut, as the kernel cuts it. */
    static void write(Reply.Heap heap, MemorySegment element) {
        element.fill((byte) 0);
        byte[] name = heap.name().getBytes(StandardCharsets.UTF_8);
        MemorySegment.copy(MemorySegment.ofArray(name), 0, element, 0, Math.min(name.length, NAME_BYTES));
        element.set(JAVA_INT, ELEMENT_TYPE, type(heap.type()));
        element.set(JAVA_INT, ELEMENT_ID, id(heap));
    }

    /** {@return {@code enum ion_heap_type}} */
    private static int type(String type) {
        return switch (type) {
            case "system" -> 0;
            case "system-contig" -> 1;
            case "carveout" -> 2;
            case "chunk" -> 3;
            case "cma" -> 4;
            default -> 5; // ION_HEAP_TYPE_CUSTOM
        };
    }
}
