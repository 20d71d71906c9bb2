// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.DmaHeapSource;
import org.dmabuf.heap.linux.Headroom;
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
                    + passedOver.stream().map(Choice::reason).collect(Collectors.joining("; and "));
        }

        private static String reason(HeapException refusal) {
            String prefix = "heap '" + refusal.heap() + "': "; // said once, before all reasons
            String message = refusal.getMessage();
            return message.startsWith(prefix) ? message.substring(prefix.length()) : message;
        }
    }

    /**
     * Opens the configured back end.
     *
     * @param word its name, or {@link #AUTO}
     * @param pid of the configuration, named in a refusal
     * @param heap name of the heap
     * @param syscalls the kernel
     * @param headroom what the machine has left
     * @return the choice
     * @throws HeapException when the word is none, or what it names is not there
     */
    static Choice choose(String word, String pid, String heap, Syscalls syscalls, Headroom headroom) {
        if (word.equals(AUTO)) {
            return best(heap, syscalls, headroom);
        }
        for (Backend backend : values()) {
            if (word.equals(backend.word)) {
                return new Choice(backend, backend.open(heap, syscalls, headroom), List.of());
            }
        }
        String known = Arrays.stream(values()).map(Backend::toString).collect(Collectors.joining(", "));
        throw new HeapException(
                Errno.EINVAL,
                heap,
                "heap '" + heap + "': backend = " + word + " in " + pid + " is none; set it to " + AUTO + ", " + known);
    }

    private static Choice best(String heap, Syscalls syscalls, Headroom headroom) {
        List<HeapException> passedOver = new ArrayList<>();
        for (Backend backend : List.of(DMA_HEAP, UDMABUF)) {
            try {
                return new Choice(backend, backend.open(heap, syscalls, headroom), List.copyOf(passedOver));
            } catch (HeapException e) {
                if (isOfTheMoment(e.errno())) {
                    throw e;
                }
                passedOver.add(e);
            }
        }
        return new Choice(MEMFD, MEMFD.open(heap, syscalls, headroom), List.copyOf(passedOver));
    }

    /** A shortage says nothing of what the machine permits, and the choice is for long. */
    private static boolean isOfTheMoment(Errno errno) {
        return switch (errno) {
            case ENOMEM, EAGAIN, EINTR, EMFILE, ENFILE -> true;
            default -> false;
        };
    }

    @Override
    public String toString() {
        return word;
    }
}
