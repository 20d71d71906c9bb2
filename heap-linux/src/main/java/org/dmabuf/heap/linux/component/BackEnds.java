// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.source.DmaHeapSource;

/**
 * Back ends that can make a heap's memory, the best first. The setting {@code backend} names one, or {@value #AUTO} for
 * the first that the machine permits. A {@link Errno#isTransient shortage} decides nothing: it ends the search.
 *
 * <p>One thread at a time uses an object.
 */
public final class BackEnds {
    /** Value of the setting that takes the first back end that the machine permits. */
    public static final String AUTO = "auto";

    private final HeapSettings settings;
    private final Map<String, Supplier<OpenedHeap>> openers = new LinkedHashMap<>();

    /**
     * No back end yet.
     *
     * @param settings named in refusals
     */
    public BackEnds(HeapSettings settings) {
        this.settings = settings;
    }

    /**
     * Adds one that is not as good as those before it.
     *
     * @param word its name in the setting
     * @param opener opens it, or fails with nothing held
     * @return this
     */
    public BackEnds with(String word, Supplier<OpenedHeap> opener) {
        openers.put(word, opener);
        return this;
    }

    /**
     * Opens the configured one.
     *
     * @param word its name, or {@link #AUTO}
     * @return the chosen back end; {@link Choice#isNone} only where the machine permits no back end of {@link #AUTO}
     * @throws HeapException when the word names no back end, the machine lacks what it needs, or is short of something
     */
    public Choice choose(String word) {
        List<HeapException> passedOver = new ArrayList<>();
        if (word.equals(AUTO)) {
            Choice best = first(openers.keySet(), one -> choice(one, passedOver), passedOver);
            return best == null ? new Choice(AUTO, OpenedHeap.none(), passedOver) : best;
        }
        requireWord(word);
        return choice(word, passedOver);
    }

    /**
     * Checks the setting, without opening anything.
     *
     * @param word name of a back end, or {@link #AUTO}
     * @throws HeapException when the word names no back end
     */
    public void requireWord(String word) {
        if (!word.equals(AUTO) && !openers.containsKey(word)) {
            throw settings.wrong("backend", word, words());
        }
    }

    /** {@return the words that the setting may have: {@code auto, device or region}} */
    private String words() {
        List<String> words = new ArrayList<>(openers.keySet());
        String last = words.removeLast();
        words.addFirst(AUTO);
        return String.join(", ", words) + " or " + last;
    }

    private Choice choice(String word, List<HeapException> passedOver) {
        return new Choice(word, openers.get(word).get(), passedOver);
    }

    /**
     * Opens the first of the kernel's heaps that serves. Most kernels have none of the nodes: the refusal has one
     * reason for all absent ones, and each of the others has its own.
     *
     * @param settings named in the refusal
     * @param nodes names below {@value DmaHeapSource#FOLDER}
     * @param opener opens one by its name, or fails with nothing held
     * @param kind of heap, for a folder that has none of them
     * @param remedy for such a folder
     * @return the first
     * @throws HeapException when no heap serves, or the machine is short of something
     */
    public static OpenedHeap firstNode(
            HeapSettings settings,
            List<String> nodes,
            Function<String, OpenedHeap> opener,
            String kind,
            String remedy) {
        List<HeapException> refusals = new ArrayList<>();
        OpenedHeap opened = first(nodes, opener, refusals);
        if (opened != null) {
            return opened;
        }
        String others = reasons(refusals.stream()
                .filter(refusal -> refusal.errno() != Errno.ENOENT)
                .toList());
        throw HeapException.of(
                refusals.isEmpty() ? Errno.ENOENT : refusals.getLast().errno(),
                settings.heap(),
                ""
                        + (others.isEmpty()
                                ? DmaHeapSource.FOLDER + " has no " + kind + " heap (" + String.join(" ", nodes)
                                        + "); " + remedy
                                : others));
    }

    /** {@return the first that was opened, or null; not an Optional, for which memory could be missing by then} */
    private static <T> T first(
            Collection<String> names, Function<String, T> opener, List<HeapException> refusals) {
        for (String name : names) {
            try {
                return opener.apply(name);
            } catch (HeapException e) {
                if (e.errno().isTransient()) {
                    throw e;
                }
                refusals.add(e);
            }
        }
        return null;
    }

    private static String reasons(List<HeapException> refusals) {
        return refusals.stream().map(HeapException::reason).collect(Collectors.joining("; and "));
    }

    /** Back end that was chosen, with its memory open. Immutable. */
    public static final class Choice {
        private final String word;
        private final OpenedHeap opened;
        private final List<HeapException> passedOver;

        private Choice(String word, OpenedHeap opened, List<HeapException> passedOver) {
            this.word = word;
            this.opened = opened;
            this.passedOver = passedOver;
        }

        /** {@return whether the machine permits none of the back ends} */
        public boolean isNone() {
            return opened.isNone();
        }

        /** {@return the name of the back end, {@link #AUTO} where the machine permits none} */
        public String word() {
            return word;
        }

        /** {@return why each better back end was not taken, with the remedies; empty for the best} */
        public String passedOver() {
            return reasons(passedOver);
        }

        /**
         * {@return the memory}
         *
         * @throws HeapException where the machine permits no back end: why the last was not taken
         */
        public OpenedHeap opened() {
            if (isNone()) {
                throw passedOver.getLast();
            }
            return opened;
        }
    }
}
