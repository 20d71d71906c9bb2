// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.WeakHashMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.felix.service.command.CommandSession;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/**
 * The buffers that people made in the shell, by name, until they free them. All sessions share the names. A buffer
 * belongs to the session that made it: where that session has an end before the shell's, the buffer is freed with it.
 *
 * <p>Immediate, because Gogo gets and ungets a command for each call: a delayed component would lose its buffers.
 */
@Component(immediate = true, service = NamedBuffers.class)
public final class NamedBuffers {
    private record Kept(HeldBuffer held, CommandSession session) {}

    private final Map<String, Kept> buffers = new TreeMap<>();
    /** The sessions that made buffers, each with whether it has ended. */
    private final Map<CommandSession, Boolean> sessions = new WeakHashMap<>();

    private int counter;

    /**
     * No buffers.
     *
     * @param broker from which they come: without it they are gone
     */
    @Activate
    public NamedBuffers(@Reference HeapBroker broker) {}

    /** {@return a name that is not taken} */
    synchronized String freshName() {
        String name;
        do {
            name = "buf-" + ++counter;
        } while (buffers.containsKey(name));
        return name;
    }

    /**
     * Has the end of a session free what it makes. Called before a buffer is made: a session that ends meanwhile keeps
     * nothing.
     */
    synchronized void expectFrom(CommandSession session) {
        if (sessions.putIfAbsent(session, false) == null) {
            SessionEnd.then(session, () -> freeAllOf(session));
        }
    }

    /** Throws {@link IllegalArgumentException} with a sentence when a name is taken. */
    synchronized void requireFree(String name) {
        if (buffers.containsKey(name)) {
            throw new IllegalArgumentException(
                    "there is a buffer '" + name + "' already; free it (dmaheap:free " + name
                            + ") or give another name with --name");
        }
    }

    /**
     * Keeps a buffer, unless this thread was interrupted before.
     *
     * @param session to which it belongs from now on, and from which it was expected
     * @param name by which the shell knows it
     * @param buffer closed when it is freed
     * @param content bytes that mean something; the rest fills the last page
     * @return what there is to tell of it
     * @throws IllegalArgumentException when the name is taken; the buffer is closed then
     * @throws InterruptedException when the thread was interrupted, or the session is over; the buffer is closed then
     */
    BufferInfo keep(CommandSession session, String name, DmaBuf buffer, long content) throws InterruptedException {
        boolean kept = false;
        try {
            BufferInfo info = put(session, name, buffer, content);
            kept = true;
            return info;
        } finally {
            if (!kept) {
                buffer.close();
            }
        }
    }

    private synchronized BufferInfo put(CommandSession session, String name, DmaBuf buffer, long content)
            throws InterruptedException {
        requireFree(name);
        if (Thread.interrupted() || sessions.get(session)) {
            throw new InterruptedException();
        }
        BufferInfo info = BufferInfo.of(name, buffer, content);
        buffers.put(name, new Kept(new HeldBuffer(buffer, content), session));
        return info;
    }

    private void freeAllOf(CommandSession session) {
        close(takeAllOf(session));
    }

    private synchronized List<HeldBuffer> takeAllOf(CommandSession session) {
        sessions.put(session, true);
        List<String> theirs = buffers.entrySet().stream()
                .filter(kept -> kept.getValue().session() == session)
                .map(Map.Entry::getKey)
                .toList();
        return take(theirs);
    }

    synchronized List<String> names() {
        return List.copyOf(buffers.keySet());
    }

    synchronized List<BufferInfo> list() {
        return buffers.entrySet().stream()
                .map(kept -> BufferInfo.of(
                        kept.getKey(),
                        kept.getValue().held().buffer(),
                        kept.getValue().held().content()))
                .toList();
    }

    /**
     * Frees buffers.
     *
     * @param sought names, or patterns of names with {@code *} and {@code ?}
     * @throws IllegalArgumentException when one of them is of no buffer; none is freed then
     */
    void free(List<String> sought) {
        close(takeMatching(sought));
    }

    private synchronized List<HeldBuffer> takeMatching(List<String> sought) {
        Set<String> found = new LinkedHashSet<>();
        for (String one : sought) {
            found.addAll(matching(one));
        }
        return take(found);
    }

    private Set<String> matching(String sought) {
        if (buffers.containsKey(sought)) {
            return Set.of(sought);
        }
        boolean pattern = sought.contains("*") || sought.contains("?");
        Pattern names = Pattern.compile(
                sought.codePoints()
                        .mapToObj(character -> switch (character) {
                            case '*' -> ".*";
                            case '?' -> ".";
                            default -> Pattern.quote(Character.toString(character));
                        })
                        .collect(Collectors.joining()),
                Pattern.DOTALL);
        Set<String> found = buffers.keySet().stream()
                .filter(names.asMatchPredicate())
                .collect(Collectors.toCollection(LinkedHashSet::new));
        if (found.isEmpty()) {
            throw none(pattern ? "no buffer matches '" + sought + "'" : "there is no buffer '" + sought + "'");
        }
        return found;
    }

    private List<HeldBuffer> take(Collection<String> names) {
        List<HeldBuffer> taken = names.stream().map(name -> buffers.get(name).held()).toList();
        names.forEach(buffers::remove); // when all are in the list: nothing fails between the two
        return taken;
    }

    /** Not under the lock: a heap's release may take long, or hang, and the other buffers stay in use meanwhile. */
    private static void close(List<HeldBuffer> taken) {
        RuntimeException failure = null;
        for (HeldBuffer one : taken) {
            try {
                one.close();
            } catch (RuntimeException e) {
                failure = e; // no other buffer is kept for it
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    /**
     * Gives a reference of its own to a command, so that another session can free the buffer meanwhile.
     *
     * @return closed by the caller
     */
    synchronized HeldBuffer borrow(String name) {
        Kept kept = buffers.get(name);
        if (kept == null) {
            throw none("there is no buffer '" + name + "'");
        }
        return kept.held().borrowed();
    }

    private IllegalArgumentException none(String sentence) {
        return new IllegalArgumentException(sentence + "; "
                + (buffers.isEmpty() ? "the shell holds none" : "there are: " + String.join(", ", buffers.keySet())));
    }

    /** Frees every buffer of every session. */
    @Deactivate
    void freeAll() {
        close(takeAll());
    }

    private synchronized List<HeldBuffer> takeAll() {
        return take(List.copyOf(buffers.keySet()));
    }
}
