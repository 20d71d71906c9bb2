// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.junit.jupiter.api.Test;

class CompletionTest {
    private static final Syntax ALLOC = Syntax.of("alloc", "Allocates")
            .taking("SIZE", 1, 1)
            .with(
                    Option.valued('h', "heap", "NAMES", "heaps to ask"),
                    Option.valued('e', "emulated", "NAMES", "what's emulated"),
                    Option.valued('n', "name", "NAME", "its name"),
                    Option.valued("for", "DEVICES", "devices that use it"),
                    Option.flag("read-only", "receivers only read"));
    private static final Syntax SHARE = Syntax.of("share", "Shares").taking("NAME SOCKET", 2, 2);
    private static final Syntax FREE = Syntax.of("free", "Frees").taking("NAME...", 1, Integer.MAX_VALUE);

    private static final CommandSet BUFFERS = new CommandSet() {
        @Override
        public List<Syntax> syntaxes() {
            return List.of(ALLOC, SHARE, FREE);
        }

        @Override
        public Optional<List<String>> values(String place) {
            return place.equals("NAME") ? Optional.of(List.of("frame")) : Optional.empty();
        }
    };

    private final List<String> executed = new ArrayList<>();
    private final CommandSession session = (CommandSession) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {CommandSession.class}, (_, method, arguments) -> {
                assertEquals("execute", method.getName());
                executed.add(arguments[0].toString());
                return List.of("a file");
            });
    private final HeapBroker broker = (HeapBroker) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {HeapBroker.class}, (_, method, _) -> {
                assertEquals("heaps", method.getName());
                return List.of(
                        HeapInfo.of("system", HeapState.SERVING).build(),
                        HeapInfo.of("cma", HeapState.SERVING)
                                .properties(Map.of("heap.emulates", List.of("contiguous")))
                                .build(),
                        HeapInfo.of("camera", HeapState.FAILED).build());
            });
    private final Completion completion = new Completion(
            broker,
            List.of(
                    BUFFERS,
                    new ListingCommands(broker, null),
                    new DeviceCommands(broker),
                    new OciCommand(),
                    new VerifyCommand(broker)));

    /** {@return the candidates for the last word} */
    private List<String> offered(String... line) throws Exception {
        Collection<?> values = completion.__values(session, Arrays.asList(line), line.length - 1);
        return values.stream().map(String::valueOf).toList();
    }

    @Test
    void each_option_is_registered_with_its_meaning() throws Exception {
        completion.__completions(session);
        assertTrue(executed.contains("gogo:complete -c dmaheap:alloc -s h -l heap -d 'heaps to ask'"), "" + executed);
        assertTrue(executed.contains("gogo:complete -c dmaheap:alloc -l read-only -d 'receivers only read'"));
        assertTrue(executed.contains("gogo:complete -c dmaheap:alloc -s e -l emulated -d 'what’s emulated'"));
        assertTrue(
                executed.contains("gogo:complete -c dmaheap:list -s w -l wide -d 'show every column and every"
                        + " name in full'"),
                "" + executed);
        assertTrue(executed.contains("gogo:complete -c dmaheap:list -l help -d 'print this'"));
    }

    @Test
    void heaps_that_serve_are_offered_for_the_option_alone() throws Exception {
        assertEquals(List.of("cma", "system"), offered("alloc", "--heap", ""));
        assertEquals(List.of("cma", "system"), offered("dmaheap:alloc", "4K", "-h", "s"));
        assertEquals(List.of("cma", "system"), offered("dmaheap:alloc", "--read-only", "-h", "s"));
        assertEquals(List.of("cma,system"), offered("alloc", "-h", "cma,"));
        assertEquals(List.of("contiguous"), offered("alloc", "-e", ""));
        assertEquals(List.of(), offered("alloc", ""));
        assertEquals(List.of(), offered("alloc", "-h", "system", ""));
        assertEquals(List.of(), offered("alloc", "-hsystem", ""));
        assertEquals(List.of(), offered("alloc", "--name", ""));
    }

    @Test
    void every_heap_is_offered_to_listing_commands_but_not_adopted_memory() throws Exception {
        assertEquals(List.of("system", "cma", "camera"), offered("dmaheap:info", ""));
        assertEquals(List.of("system", "cma", "camera"), offered("info", "--json", "system", ""));
        assertFalse(offered("info", "a").contains("adopted"));
        assertEquals(List.of("system", "cma", "camera"), offered("verify", "--dynamics", ""));
        assertEquals(List.of(), offered("verify", "cma", ""));
    }

    @Test
    void an_argument_is_completed_by_its_kind() throws Exception {
        assertEquals(List.of("frame"), offered("share", ""));
        assertEquals(List.of("a file"), offered("share", "frame", "/tm"));
        assertEquals(List.of(), offered("share", "frame", "/tmp/x", ""));
        assertEquals(List.of("frame"), offered("free", "one", "two", "--", ""));
        assertEquals(List.of("a file"), offered("constraints", "/dev/video0", "/dev/d"));
        assertEquals(List.of(), offered("constraints", "--size", ""));
        assertEquals(List.of("a file"), offered("probe", "/dev/v"));
        assertEquals(List.of("cma", "system"), offered("probe", "--heap", ""));
        assertEquals(List.of("a file"), offered("alloc", "--for", "/dev/v"));
        assertEquals(List.of("a file"), offered("oci-profile", ""));
        assertEquals(List.of("a file"), offered("oci-profile", "--out", ""));
        assertEquals(List.of("a file"), offered("oci-profile", "--socket", "/r"));
        assertEquals(List.of(), offered("oci-profile", "--metadata", ""));
        assertEquals(List.of(), offered("list", ""));
        assertEquals(List.of(), offered("another", ""));
    }

    @Test
    void gogos_own_help_of_a_command_refers_to_its_options() throws Exception {
        for (CommandSet set : List.of(
                new ListingCommands(broker, null),
                new MapCommand(null),
                new HolderCommand(null),
                new DeviceCommands(broker),
                new VerifyCommand(broker))) {
            for (Syntax syntax : set.syntaxes()) {
                String name = syntax.command().substring("dmaheap:".length());
                String message = set.getClass()
                        .getMethod(name, CommandSession.class, Object[].class)
                        .getAnnotation(Descriptor.class)
                        .value();
                assertTrue(message.endsWith(" (options: " + syntax.command() + " --help)"), message);
            }
        }
    }

    @Test
    void the_help_of_every_command_fits_80_columns() {
        for (CommandSet set : List.of(
                new ListingCommands(broker, null),
                new MapCommand(null),
                new HolderCommand(null),
                new DeviceCommands(broker),
                new OciCommand(),
                new VerifyCommand(broker))) {
            for (Syntax syntax : set.syntaxes()) {
                syntax.help().lines().forEach(line -> assertTrue(line.length() <= 80, line));
            }
        }
    }
}
