// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.DmaHeapSource;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.HeapSettings;
import org.dmabuf.heap.linux.MemfdSource;
import org.dmabuf.heap.linux.MemorySource;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.linux.UdmabufSource;

/** What can make the heap's memory, the best first: devices import what the first two make. */
enum Backend {
    /** The kernel's own system heap. */
    DMA_HEAP("dma-heap") {
        @Override
        MemorySource open(String heap, Syscalls syscalls, Headroom headroom) {
            return DmaHeapSource.open(heap, NODE, syscalls, headroom);
        }
    },
    /** Dma-bufs made of memfds. */
    UDMABUF("udmabuf") {
        @Override
        MemorySource open(String heap, Syscalls syscalls, Headroom headroom) {
            return UdmabufSource.open(heap, syscalls, headroom);
        }
    },
    /** Memfds, which no device imports. */
    MEMFD("memfd") {
        @Override
        MemorySource open(String heap, Syscalls syscalls, Headroom headroom) {
            return MemfdSource.open(heap, syscalls, headroom);
        }
    };

    /** Takes the first that the machine permits. */
    static final String AUTO = "auto";

    private static final String NODE = "system";

    private final String word;

    Backend(String word) {
        this.word = word;
    }

    abstract MemorySource open(String heap, Syscalls syscalls, Headroom headroom);

    /**
     * What was chosen, open.
     *
     * @param backend what makes the memory
     * @param source to be closed
     * @param passedOver why each better one was not taken, with the remedy
     */
    record Choice(Backend backend, MemorySource source, List<HeapException> passedOver) {
        /** {@return one sentence for the log, with the reasons} */
        String told() {
            return backend + ", since "
                    + passedOver.stream().map(HeapException::reason).collect(Collectors.joining("; and "));
        }
    }

    /**
     * Opens the configured back end.
     *
     * @param word its name, or {@link #AUTO}
     * @param settings named in refusals
     * @param syscalls the kernel
     * @param headroom what the machine has left
     * @return the choice
     * @throws HeapException when the word is none, or what it names is not there
     */
    static Choice choose(String word, HeapSettings settings, Syscalls syscalls, Headroom headroom) {
        if (word.equals(AUTO)) {
            return best(settings.heap(), syscalls, headroom);
        }
        for (Backend backend : values()) {
            if (word.equals(backend.word)) {
                return new Choice(backend, backend.open(settings.heap(), syscalls, headroom), List.of());
            }
        }
        String known = Arrays.stream(values()).map(Backend::toString).collect(Collectors.joining(", "));
        throw settings.wrong("backend", word, AUTO + ", " + known);
    }

    private static Choice best(String heap, Syscalls syscalls, Headroom headroom) {
        List<HeapException> passedOver = new ArrayList<>();
        for (Backend backend : List.of(DMA_HEAP, UDMABUF)) {
            try {
                return new Choice(backend, backend.open(heap, syscalls, headroom), List.copyOf(passedOver));
            } catch (HeapException e) {
                if (e.errno().isOfTheMoment()) {
                    throw e;
                }
                passedOver.add(e);
            }
        }
        return new Choice(MEMFD, MEMFD.open(heap, syscalls, headroom), List.copyOf(passedOver));
    }

    @Override
    public String toString() {
        return word;
    }
}
