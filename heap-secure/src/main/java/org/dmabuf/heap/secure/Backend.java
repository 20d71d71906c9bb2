// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

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
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.HeapSettings;
import org.dmabuf.heap.linux.MemorySource;
import org.dmabuf.heap.linux.SecretSource;
import org.dmabuf.heap.linux.Syscalls;

/** Chooses what makes the heap's memory: the kernel's protected heap where there is one, else secret memory. */
final class Backend {
    /** Takes the first that the machine permits. */
    static final String AUTO = "auto";
    /** Memory that the hardware keeps the CPU out of. */
    static final String DMA_HEAP = "dma-heap";
    /** Memory that only those see who map it. */
    static final String MEMFD_SECRET = "memfd_secret";

    private final HeapSettings settings;
    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;

    /**
     * @param settings named in refusals
     * @param syscalls the kernel
     * @param headroom what the machine has left
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
     * @param source to be closed; empty where this machine has neither form
     * @param passedOver why there is nothing better, with the remedies; empty when nothing better was wanted
     */
    record Choice(Optional<MemorySource> source, Map<String, Object> properties, String passedOver) {}

    /**
     * Opens the configured back end.
     *
     * @param word its name, or {@link #AUTO}
     * @param nodes names of protected heaps of the kernel, the first that serves is taken
     * @param mappable whether the gateway may map secret memory; protected memory nobody maps
     * @return the choice
     * @throws HeapException when the word is none, what it names is not there, or the machine is short of something
     */
    Choice choose(String word, List<String> nodes, boolean mappable) {
        return switch (word) {
            case MEMFD_SECRET -> secret(mappable, "");
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
                yield secretIfThereIs(mappable, why);
            }
            default -> throw settings.wrong("backend", word, AUTO + ", " + DMA_HEAP + " or " + MEMFD_SECRET);
        };
    }

    private Choice secret(boolean mappable, String passedOver) {
        SecretSource source = SecretSource.open(heap, syscalls, headroom, mappable);
        return new Choice(Optional.of(source), source.properties(), passedOver);
    }

    /** Many kernels have none, which is no fault of anybody's configuration. */
    private Choice secretIfThereIs(boolean mappable, String passedOver) {
        try {
            return secret(mappable, passedOver);
        } catch (HeapException e) {
            if (e.errno().isOfTheMoment()) {
                throw e;
            }
            return new Choice(Optional.empty(), Map.of(), passedOver + "; and " + e.reason());
        }
    }

    private Optional<Choice> device(List<String> nodes, List<HeapException> refusals) {
        for (String node : nodes) {
            try {
                return Optional.of(open(node));
            } catch (HeapException e) {
                if (e.errno().isOfTheMoment()) {
                    throw e;
                }
                refusals.add(e);
            }
        }
        return Optional.empty();
    }

    private Choice open(String node) {
        DmaHeapSource source = DmaHeapSource.openWithOwnMemory(heap, node, syscalls);
        if (!Boolean.FALSE.equals(source.properties().get(HeapProperties.MAPPABLE))) {
            source.close();
            throw new HeapException(
                    Errno.EINVAL,
                    heap,
                    "heap '" + heap + "': the CPU maps memory of " + DmaHeapSource.FOLDER + node
                            + ", which therefore protects nothing; name a protected heap by "
                            + settings.place("nodes"));
        }
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.PROTECTED, true);
        return new Choice(Optional.of(source), properties, "");
    }

    /** Most kernels have none of the nodes: that is said once, and of the others each has its own reason. */
    private String reasons(List<String> nodes, List<HeapException> refusals) {
        String others = refusals.stream()
                .filter(refusal -> refusal.errno() != Errno.ENOENT)
                .map(HeapException::reason)
                .collect(Collectors.joining("; and "));
        return others.isEmpty()
                ? DmaHeapSource.FOLDER + " has no protected heap (" + String.join(" ", nodes)
                        + "); take a kernel with a TEE that has one, or name it by " + settings.place("nodes")
                : others;
    }
}
