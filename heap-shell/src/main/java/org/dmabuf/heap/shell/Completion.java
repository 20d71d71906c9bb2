// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/**
 * Tab completion for the commands of scope {@code dmaheap}. The shell's profile calls it to register each command's
 * options. For every other word the shell calls {@link #__values}.
 *
 * <p>Its functions are in a separate scope and their names begin like those of Gogo's own helpers. So the tab key does
 * not offer them as commands.
 */
@Component(
        service = Completion.class,
        property = {
            "osgi.command.scope=internal",
            "osgi.command.function=__completions",
            "osgi.command.function=__values"
        })
public final class Completion {
    private final HeapBroker broker;
    private final List<CommandSet> sets;

    /**
     * Creates the completion.
     *
     * @param broker source of the heaps' names
     * @param sets components that have commands
     */
    @Activate
    public Completion(
            @Reference HeapBroker broker,
            @Reference(policyOption = ReferencePolicyOption.GREEDY) List<CommandSet> sets) {
        this.broker = broker;
        this.sets = List.copyOf(sets);
    }

    /**
     * Registers every command with the shell of a session.
     *
     * @param session an interactive session
     * @throws Exception if the shell fails
     */
    @Descriptor("internal: register tab completion for the commands of scope dmaheap")
    public void __completions(CommandSession session) throws Exception {
        for (CommandSet set : sets) {
            for (Syntax syntax : set.syntaxes()) {
                for (Option option : syntax.options()) {
                    session.execute("gogo:complete -c " + syntax.command()
                            + option.letter().map(letter -> " -s " + letter).orElse("")
                            + " -l " + option.name() + " -d " + quoted(option.meaning()));
                }
                session.execute("gogo:complete -c " + syntax.command()
                        + " -a 'internal:__values ($.commandLine words) ($.commandLine wordIndex)'");
            }
        }
    }

    private static String quoted(String text) {
        return "'" + text.replace("'", "’") + "'";
    }

    /**
     * Returns the candidates for a word of a command line that is not an option.
     *
     * @param session session in which the word is typed
     * @param words the command and the words after it
     * @param index index of the word
     * @return candidates; for files, the candidates of the shell itself
     * @throws Exception if the shell fails
     */
    @Descriptor("internal: completion candidates for a word")
    public Collection<?> __values(CommandSession session, List<String> words, int index) throws Exception {
        for (CommandSet set : sets) {
            for (Syntax syntax : set.syntaxes()) {
                if (syntax.isCalled(words.getFirst())) {
                    String place = syntax.place(words.subList(1, index));
                    Optional<List<String>> own = set.values(place);
                    String begun = index < words.size() ? words.get(index) : "";
                    return own.isPresent() ? own.get() : general(session, place, begun);
                }
            }
        }
        return List.of();
    }

    private Collection<?> general(CommandSession session, String place, String begun) throws Exception {
        return switch (place) {
            case "--heap" -> oneMore(begun, heaps().map(HeapInfo::name));
            case "--emulated" ->
                oneMore(
                        begun,
                        heaps().map(heap -> PropertyValue.text(heap.properties().get(HeapProperties.EMULATES)))
                                .flatMap(names -> Arrays.stream(names.split(",")))
                                .filter(name -> !name.isEmpty()));
            case "FILE", "SOCKET", "DEVICE", "--for", "--out", "--socket" ->
                session.execute("gogo:__files") instanceof Collection<?> files ? files : List.of();
            default -> List.of();
        };
    }

    private Stream<HeapInfo> heaps() {
        return broker.heaps().stream()
                .filter(heap -> heap.state() == HeapState.SERVING || heap.state() == HeapState.HANGING);
    }

    /** Completes the last name of a list that is separated by commas; the names before the last comma stay. */
    private static Collection<String> oneMore(String begun, Stream<String> names) {
        String before = begun.substring(0, begun.lastIndexOf(',') + 1);
        Set<String> given = new TreeSet<>(Arrays.asList(before.split(",")));
        Set<String> offered = new TreeSet<>();
        names.filter(name -> !given.contains(name)).forEach(name -> offered.add(before + name));
        return offered;
    }
}
