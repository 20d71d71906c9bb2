// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.source.DmaHeapSource;

/**
 * Chooser of a heap's back end from a list, best first. The setting {@code backend} names one back end, or
 * {@value #AUTO} for the first that the machine permits. A {@link Errno#isTransient shortage} ends the search without a
 * choice, because it does not show that the machine lacks a back end. {@link HeapStart} looks again for a better back
 * end that was absent or forbidden, and changes to it without a restart.
 *
 * <p>One thread at a time uses an object.
 */
public final class BackEnds {
    /** Value of the setting for the first back end that the machine permits. */
    public static final String AUTO = "auto";

    /**
     * Errors of what the machine may get while heaps serve: a node, a driver, huge pages, or a permission. EPERM is
     * among them only for a device node, because the device rules of a running unit or container can change.
     */
    private static final Set<Errno> LACKS = EnumSet.of(Errno.ENOENT, Errno.ENODEV, Errno.ENXIO, Errno.EACCES);

    private final HeapSettings settings;
    private final Map<String, Supplier<OpenedHeap>> openers = new LinkedHashMap<>();

    /**
     * Makes a chooser without back ends.
     *
     * @param settings named in refusals
     */
    public BackEnds(HeapSettings settings) {
        this.settings = settings;
    }

    /**
     * Adds a back end, which ranks below those added before.
     *
     * @param word its name in the setting
     * @param opener opens the back end, or throws with nothing held
     * @return this
     */
    public BackEnds with(String word, Supplier<OpenedHeap> opener) {
        openers.put(word, opener);
        return this;
    }

    /**
     * Opens the configured back end.
     *
     * @param word its name, or {@link #AUTO}
     * @return the chosen back end; {@link Choice#isNone} is true only for {@link #AUTO} on a machine that permits no
     *     back end
     * @throws HeapException when the word names no back end, the machine lacks a prerequisite, or a resource is short
     */
    public Choice choose(String word) {
        if (!word.equals(AUTO)) {
            requireWord(word);
            return new Choice(word, openers.get(word).get(), List.of());
        }
        List<HeapException> passedOver = new ArrayList<>();
        List<String> absent = new ArrayList<>();
        for (String one : openers.keySet()) {
            try {
                return new Choice(one, openers.get(one).get().withBetter(() -> working(absent)), passedOver);
            } catch (HeapException e) {
                passOver(e, passedOver);
                if (mayCome(e)) {
                    absent.add(one);
                }
            }
        }
        return new Choice(AUTO, OpenedHeap.none().withBetter(() -> working(absent)), passedOver);
    }

    /** {@return whether the cause may end while the heap serves: a node comes, or its permission changes} */
    static boolean mayCome(HeapException refusal) {
        return LACKS.contains(refusal.errno())
                || refusal.errno() == Errno.EPERM && refusal.reason().startsWith("open(/dev/");
    }

    /** {@return the first of the back ends that opens now; it is closed again} */
    private Optional<String> working(List<String> words) {
        for (String word : words) {
            try {
                openers.get(word).get().close();
                return Optional.of(word);
            } catch (RuntimeException e) {
                // It is still missing, a resource is short, or a vendor's code fails; the next look is in 10 s.
            }
        }
        return Optional.empty();
    }

    /**
     * Checks the setting without opening a back end.
     *
     * @param word name of a back end, or {@link #AUTO}
     * @throws HeapException when the word names no back end
     */
    public void requireWord(String word) {
        if (!word.equals(AUTO) && !openers.containsKey(word)) {
            throw settings.wrong("backend", word, words());
        }
    }

    /** {@return the values that the setting may have: {@code auto, device or region}} */
    private String words() {
        List<String> words = new ArrayList<>(openers.keySet());
        String last = words.removeLast();
        words.addFirst(AUTO);
        return String.join(", ", words) + " or " + last;
    }

    /**
     * Opens the first of the kernel's heaps that works. The exception has one common reason for all absent nodes,
     * because most kernels have none of them, and a separate reason for each other node.
     *
     * @param settings named in the refusal
     * @param nodes names below {@value DmaHeapSource#FOLDER}
     * @param opener opens a heap by its name, or throws with nothing held
     * @param kind kind of heap, for the message when all nodes are absent
     * @param remedy a further remedy for that message, after the one to load a module
     * @return the opened heap
     * @throws HeapException when no heap works, or a resource is short
     */
    public static OpenedHeap firstNode(
            HeapSettings settings,
            List<String> nodes,
            Function<String, OpenedHeap> opener,
            String kind,
            String remedy) {
        List<HeapException> refusals = new ArrayList<>();
        for (String node : nodes) {
            try {
                return opener.apply(node);
            } catch (HeapException e) {
                passOver(e, refusals);
            }
        }
        String others = reasons(refusals.stream()
                .filter(refusal -> refusal.errno() != Errno.ENOENT)
                .toList());
        throw HeapException.of(
                decisive(refusals).map(HeapException::errno).orElse(Errno.ENOENT),
                settings.heap(),
                others.isEmpty()
                        ? DmaHeapSource.FOLDER + " has no " + kind + " heap (" + String.join(" ", nodes)
                                + "); load its module, " + remedy + ", and give a container its node (--device="
                                + DmaHeapSource.FOLDER + "NAME)"
                        : others);
    }

    /** {@return the refusal of the last one that may come, otherwise of the last one} */
    private static Optional<HeapException> decisive(List<HeapException> refusals) {
        return refusals.stream().reduce((one, next) -> mayCome(one) && !mayCome(next) ? one : next);
    }

    private static void passOver(HeapException refusal, List<HeapException> refusals) {
        if (refusal.errno().isTransient()) {
            throw refusal;
        }
        refusals.add(refusal);
    }

    private static String reasons(List<HeapException> refusals) {
        return refusals.stream().map(HeapException::reason).collect(Collectors.joining("; and "));
    }

    /** Chosen back end with its open memory. Immutable. */
    public static final class Choice {
        private final String word;
        private final OpenedHeap opened;
        private final List<HeapException> passedOver;

        private Choice(String word, OpenedHeap opened, List<HeapException> passedOver) {
            this.word = word;
            this.opened = opened;
            this.passedOver = passedOver;
        }

        /** {@return whether the machine permits no back end} */
        public boolean isNone() {
            return opened.isNone();
        }

        /** {@return the name of the back end, {@link #AUTO} if the machine permits no back end} */
        public String word() {
            return word;
        }

        /** {@return why each better back end was not chosen, with the remedies; empty for the best back end} */
        public String passedOver() {
            return reasons(passedOver);
        }

        /** {@return the memory, without a source if the machine permits no back end yet} */
        public OpenedHeap openedOrNone() {
            return opened;
        }

        /**
         * {@return the memory}
         *
         * @throws HeapException if the machine permits no back end. It has the reason of the last one that may come,
         *     so that the heap waits for it, or else the reason of the last one
         */
        public OpenedHeap opened() {
            if (isNone()) {
                throw decisive(passedOver).orElseThrow();
            }
            return opened;
        }
    }
}
