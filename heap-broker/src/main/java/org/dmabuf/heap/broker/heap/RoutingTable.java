// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.framework.Filter;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.InvalidSyntaxException;

/**
 * Routing table for requests: the heaps of one moment. It is immutable except for its cache of answers. The {@link
 * HeapRegistry} publishes a new table with each change, and an allocation reads it once.
 *
 * <p>A mask is permuted, eight bits at a time through a table, from heap ids to places in the order of asking. The
 * lowest bit of the result is then the first heap to ask, whatever the priorities are.
 */
public final class RoutingTable {
    /** The number of requirements whose answers are cached; others are evaluated for each request. */
    private static final int REMEMBERED = 256;

    private static final int LONGEST_REMEMBERED = 256;

    /** The reason why a draining heap does not serve. */
    public static final String LEAVING = "it is leaving and accepts no more requests";

    static final RoutingTable NONE = of(List.of(), List.of());

    private final RegisteredHeap[] order;
    private final Map<String, RegisteredHeap> byName;
    /** Heaps with an id, in the order of asking. Their indexes are the bits of a permuted mask. */
    private final RegisteredHeap[] places;

    private final long[] permutation;
    private final List<HeapStanding> listed;
    private final Map<String, boolean[]> answers = new ConcurrentHashMap<>();
    private final Map<RegisteredHeap, Integer> index;
    private final Object moment = new Object();

    private RoutingTable(RegisteredHeap[] order, List<HeapStanding> listed) {
        this.order = order;
        this.listed = listed;
        byName = new HashMap<>();
        index = new IdentityHashMap<>();
        List<RegisteredHeap> withId = new ArrayList<>();
        for (int i = 0; i < order.length; i++) {
            byName.put(order[i].name(), order[i]);
            index.put(order[i], i);
            if (order[i].description().id().isPresent()) {
                withId.add(order[i]);
            }
        }
        places = withId.toArray(RegisteredHeap[]::new);
        permutation = permutation(places);
    }

    /** Decides as {@link #of(List, List, RoutingTable)} does, without earlier routes. */
    static RoutingTable of(List<RegisteredHeap> arrivals, List<RegisteredHeap> draining) {
        return of(arrivals, draining, null);
    }

    /**
     * Decides which heaps serve. A heap that serves keeps its name and its id as long as it announces both. Among the
     * others, the first to arrive takes a name and an id that are free, and later ones are shadowed. So a heap that
     * leaves the shadow never displaces a heap that serves.
     *
     * @param arrivals heaps in the order of their arrival
     * @param draining heaps that are leaving
     * @param before the previous routes, null for none
     * @return the routes
     */
    static RoutingTable of(List<RegisteredHeap> arrivals, List<RegisteredHeap> draining, RoutingTable before) {
        List<RegisteredHeap> serving = new ArrayList<>();
        List<HeapStanding> others = new ArrayList<>();
        Map<String, RegisteredHeap> names = new HashMap<>();
        Map<Integer, RegisteredHeap> ids = new HashMap<>();
        for (RegisteredHeap heap : incumbentsFirst(arrivals, before)) {
            if (heap.refused()) {
                others.add(new HeapStanding(heap, HeapState.REFUSED, heap.refusal()));
                continue;
            }
            RegisteredHeap named = names.get(heap.name());
            RegisteredHeap numbered = heap.description().id().isPresent()
                    ? ids.get(heap.description().id().getAsInt())
                    : null;
            if (named != null) {
                others.add(new HeapStanding(
                        heap,
                        HeapState.SHADOWED,
                        "its name is taken by the heap of bundle "
                                + Printable.of(named.description().bundle()) + "; it serves when that heap leaves"));
            } else if (numbered != null) {
                others.add(new HeapStanding(
                        heap,
                        HeapState.SHADOWED,
                        "its heap.id " + heap.description().id().getAsInt() + " is taken by heap '" + numbered.name()
                                + "' of bundle "
                                + Printable.of(numbered.description().bundle())
                                + "; it serves when that heap leaves"));
            } else {
                names.put(heap.name(), heap);
                heap.description().id().ifPresent(id -> ids.put(id, heap));
                serving.add(heap);
            }
        }
        for (RegisteredHeap heap : draining) {
            others.add(new HeapStanding(heap, HeapState.DRAINING, LEAVING));
        }
        serving.sort(Comparator.comparingInt(
                        (RegisteredHeap heap) -> heap.description().priority())
                .thenComparingInt(heap -> heap.description().id().orElse(-1))
                .reversed());
        List<HeapStanding> listed = new ArrayList<>();
        serving.forEach(heap -> listed.add(new HeapStanding(heap, HeapState.SERVING, "")));
        listed.addAll(others);
        return new RoutingTable(serving.toArray(RegisteredHeap[]::new), List.copyOf(listed));
    }

    private static List<RegisteredHeap> incumbentsFirst(List<RegisteredHeap> arrivals, RoutingTable before) {
        if (before == null) {
            return arrivals;
        }
        Map<CallGate, RegisteredHeap> served = new IdentityHashMap<>();
        for (RegisteredHeap heap : before.order) {
            served.put(heap.gate(), heap);
        }
        List<RegisteredHeap> ordered = new ArrayList<>();
        List<RegisteredHeap> others = new ArrayList<>();
        for (RegisteredHeap heap : arrivals) {
            RegisteredHeap was = served.get(heap.gate());
            boolean incumbent = was != null
                    && was.name().equals(heap.name())
                    && was.description().id().equals(heap.description().id());
            (incumbent ? ordered : others).add(heap);
        }
        ordered.addAll(others);
        return ordered;
    }

    /**
     * {@return an object that identifies this table; it keeps no heap, so a plan with it does not prevent the unloading
     * of the classes of heaps that have left}
     */
    public Object moment() {
        return moment;
    }

    /** {@return the heap that serves under a name, or null} */
    public RegisteredHeap named(String name) {
        return byName.get(name);
    }

    /** {@return the number of heaps that serve} */
    public int size() {
        return order.length;
    }

    /** {@return a heap by its position in the order for requests that name no heap} */
    public RegisteredHeap inOrder(int turn) {
        return order[turn];
    }

    /** {@return the mask of places for a mask of heap ids; its lowest bit is the first heap to ask} */
    public long places(long mask) {
        long[] p = permutation;
        return p[(int) (mask & 0xff)]
                | p[0x100 + (int) (mask >>> 8 & 0xff)]
                | p[0x200 + (int) (mask >>> 16 & 0xff)]
                | p[0x300 + (int) (mask >>> 24 & 0xff)]
                | p[0x400 + (int) (mask >>> 32 & 0xff)]
                | p[0x500 + (int) (mask >>> 40 & 0xff)]
                | p[0x600 + (int) (mask >>> 48 & 0xff)]
                | p[0x700 + (int) (mask >>> 56)];
    }

    /** {@return the first heap of a non-zero mask of places} */
    public RegisteredHeap first(long places) {
        return this.places[Long.numberOfTrailingZeros(places)];
    }

    /** {@return every heap with its standing: those that serve, in order, then the others} */
    public List<HeapStanding> listed() {
        return listed;
    }

    /** {@return the standing of the heap with this gate, or null when it has left} */
    public HeapStanding at(CallGate gate) {
        for (HeapStanding one : listed) {
            if (one.heap().gate() == gate) {
                return one;
            }
        }
        return null;
    }

    /**
     * Matches a requirement with every heap that serves. An emulated capability counts as real, because requests that
     * do not accept the emulation are refused before.
     *
     * @param filter an OSGi filter
     * @return the answers, to be read with {@link #met}
     * @throws InvalidSyntaxException if the filter is invalid
     */
    public boolean[] meeting(String filter) throws InvalidSyntaxException {
        boolean[] answer = answers.get(filter);
        if (answer == null) {
            answer = evaluate(FrameworkUtil.createFilter(filter));
            if (answers.size() < REMEMBERED && filter.length() <= LONGEST_REMEMBERED) {
                answers.put(filter, answer);
            }
        }
        return answer;
    }

    /**
     * Reads the answer for one heap.
     *
     * @param meeting an answer of {@link #meeting}
     * @param heap a heap that serves here
     * @return whether it meets the requirement
     */
    public boolean met(boolean[] meeting, RegisteredHeap heap) {
        return meeting[index.get(heap)];
    }

    private boolean[] evaluate(Filter filter) {
        boolean[] answer = new boolean[order.length];
        for (int i = 0; i < order.length; i++) {
            answer[i] = filter.matches(order[i].description().required());
        }
        return answer;
    }

    private static long[] permutation(RegisteredHeap[] places) {
        long[] table = new long[8 * 256];
        for (int place = 0; place < places.length; place++) {
            int id = places[place].description().id().getAsInt();
            table[(id >> 3) * 256 + (1 << (id & 7))] = 1L << place;
        }
        for (int part = 0; part < table.length; part += 256) {
            for (int bits = 1; bits < 256; bits++) {
                table[part + bits] = table[part + (bits & (bits - 1))] | table[part + (bits & -bits)];
            }
        }
        return table;
    }
}
