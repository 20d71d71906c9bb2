// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.cma;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.DmaHeapSource;
import org.dmabuf.heap.linux.EmulatedCmaSource;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.HeapSettings;
import org.dmabuf.heap.linux.MemorySource;
import org.dmabuf.heap.linux.RegionLayout;
import org.dmabuf.heap.linux.Syscalls;

/** Chooses what makes the heap's memory: a contiguous heap of the kernel where there is one, else a region like it. */
final class Backend {
    /** Takes the first that the machine permits. */
    static final String AUTO = "auto";
    /** Contiguous memory. */
    static final String DMA_HEAP = "dma-heap";
    /** Memory with the rules of contiguous memory. */
    static final String REGION = "region";

    private final HeapSettings settings;
    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;

    /**
     * @param settings named in refusals
     * @param syscalls the kernel
     * @param headroom what the machine has left, of which contiguous memory is no part
     */
    Backend(HeapSettings settings, Syscalls syscalls, Headroom headroom) {
        this.settings = settings;
        this.heap = settings.heap();
        this.syscalls = syscalls;
        this.headroom = headroom;
    }

    /**
     * What was chosen, open.
     *
     * @param source to be closed
     * @param properties what is true of its memory
     * @param told what the log is to say of the choice
     */
    record Choice(MemorySource source, Map<String, Object> properties, String told) {}

    /**
     * Opens the configured back end.
     *
     * @param word its name, or {@link #AUTO}
     * @param nodes names of contiguous heaps of the kernel, the first that serves is taken
     * @param layout what the region is to be where that is chosen
     * @return the choice
     * @throws HeapException when the word is none, or what it names is not there
     */
    Choice choose(String word, List<String> nodes, RegionLayout layout) {
        return switch (word) {
            case REGION -> region(layout, REGION + " is configured");
            case DMA_HEAP, AUTO -> {
                List<HeapException> refusals = new ArrayList<>();
                Optional<Choice> device = device(nodes, refusals);
                if (device.isPresent()) {
                    yield device.get();
                }
                String why = reasons(nodes, refusals);
                if (word.equals(DMA_HEAP)) {
                    Errno errno = refusals.isEmpty() ? Errno.ENOENT : refusals.getLast().errno();
                    throw new HeapException(errno, heap, "heap '" + heap + "': " + why);
                }
                yield region(layout, why);
            }
            default -> throw settings.wrong("backend", word, AUTO + ", " + DMA_HEAP + " or " + REGION);
        };
    }

    private Choice region(RegionLayout layout, String why) {
        EmulatedCmaSource source = EmulatedCmaSource.open(heap, layout, syscalls, headroom);
        return new Choice(
                source,
                source.properties(),
                "only emulates contiguous memory, since " + why
                        + (source.passedOver().isEmpty()
                                ? ""
                                : "; it exports memfds, which no device imports, since " + source.passedOver()));
    }

    private Optional<Choice> device(List<String> nodes, List<HeapException> refusals) {
        for (String node : nodes) {
            try {
                DmaHeapSource source = DmaHeapSource.openContiguous(heap, node, syscalls);
                Map<String, Object> properties = new HashMap<>(source.properties());
                properties.put(HeapProperties.CONTIGUOUS, true);
                properties.put(HeapProperties.CONTIGUOUS_MAX, Long.MAX_VALUE); // whatever fits is one run
                return Optional.of(new Choice(source, properties, "has the memory of " + DmaHeapSource.FOLDER + node));
            } catch (HeapException e) {
                if (e.errno().isOfTheMoment()) {
                    throw e;
                }
                refusals.add(e);
            }
        }
        return Optional.empty();
    }

    /** The nodes are names of one thing, of which a kernel has one or none: that is said once. */
    private String reasons(List<String> nodes, List<HeapException> refusals) {
        String others = refusals.stream()
                .filter(refusal -> refusal.errno() != Errno.ENOENT)
                .map(HeapException::reason)
                .collect(Collectors.joining("; and "));
        return others.isEmpty()
                ? DmaHeapSource.FOLDER + " has no contiguous heap (" + String.join(" ", nodes)
                        + "); take a kernel with CONFIG_DMABUF_HEAPS_CMA and memory set aside (cma= at boot), or name"
                        + " its node by " + settings.place("nodes")
                : others;
    }
}
