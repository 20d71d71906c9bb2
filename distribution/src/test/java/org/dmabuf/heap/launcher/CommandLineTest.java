// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.launcher.CommandLine.Action;
import org.junit.jupiter.api.Test;

class CommandLineTest {
    @Test
    void words_are_one_command() throws Failure {
        CommandLine line = CommandLine.parse(List.of("dmaheap:list", "|", "grep", "system"));
        assertEquals(
                new CommandLine(Action.RUN, false, false, Map.of(), Optional.of("dmaheap:list | grep system")), line);
    }

    @Test
    void options_after_the_first_word_are_the_commands_own() throws Failure {
        CommandLine line = CommandLine.parse(List.of("-v", "dmaheap:list", "-a", "--help"));
        assertTrue(line.verbose());
        assertEquals(Action.RUN, line.action());
        assertEquals(Optional.of("dmaheap:list -a --help"), line.command());
    }

    @Test
    void empty_and_blank_words_are_not_a_command() throws Failure {
        assertEquals(Optional.empty(), CommandLine.parse(List.of()).command());
        assertEquals(Optional.empty(), CommandLine.parse(List.of("", " ")).command());
    }

    @Test
    void help_is_asked_for_in_two_ways() throws Failure {
        assertEquals(Action.HELP, CommandLine.parse(List.of("-h")).action());
        assertEquals(
                Action.HELP, CommandLine.parse(List.of("--attach", "--help")).action());
        assertEquals(Action.HELP, CommandLine.parse(List.of("status", "--help")).action());
    }

    @Test
    void daemon_rejects_a_command() throws Failure {
        assertEquals(Action.DAEMON, CommandLine.parse(List.of("-v", "--daemon")).action());
        Failure failure = assertThrows(Failure.class, () -> CommandLine.parse(List.of("--daemon", "dmaheap:list")));
        assertEquals("--daemon cannot be combined with a command: dmaheap:list", failure.getMessage());
        assertEquals(2, failure.status());
    }

    @Test
    void unknown_option_is_named_and_ends_with_status_2() {
        Failure failure = assertThrows(Failure.class, () -> CommandLine.parse(List.of("-v", "--heaps")));
        assertEquals("unknown option '--heaps'; see --help", failure.getMessage());
        assertEquals(2, failure.status());
    }

    @Test
    void status_is_a_separate_word_with_options_before_or_after_it() throws Failure {
        CommandLine line = CommandLine.parse(List.of("--socket", "/run/x", "status", "--json"));
        assertEquals(new CommandLine(Action.STATUS, false, true, Map.of("--socket", "/run/x"), Optional.empty()), line);
        assertEquals(
                Optional.of("/run/y"),
                CommandLine.parse(List.of("status", "--socket=/run/y")).socket());
        assertEquals(
                Optional.of("statuss"), CommandLine.parse(List.of("statuss")).command());
        assertEquals(
                Optional.of("status x"), CommandLine.parse(List.of("status x")).command());
    }

    @Test
    void folders_are_options_of_every_action() throws Failure {
        assertEquals(
                Map.of("--etc", "/a", "--deploy", "/b", "--state", "/c=d", "--run", "/e"),
                CommandLine.parse(List.of("--etc", "/a", "--deploy=/b", "--state=/c=d", "--daemon", "--run", "/e"))
                        .paths());
        assertEquals(
                Map.of("--run", "/e"),
                CommandLine.parse(List.of("status", "--run", "/e")).paths());
    }

    @Test
    void attach_runs_a_shell_or_a_command_whatever_its_name() throws Failure {
        assertEquals(Optional.empty(), CommandLine.parse(List.of("--attach")).command());
        CommandLine line = CommandLine.parse(List.of("--attach", "status", "--json"));
        assertEquals(Action.ATTACH, line.action());
        assertEquals(Optional.of("status --json"), line.command());
    }

    @Test
    void invalid_options_end_with_status_2() {
        for (List<String> wrong : List.of(
                List.of("--attach", "--daemon"),
                List.of("--daemon", "status"),
                List.of("status", "now"),
                List.of("status", "--attach"),
                List.of("--json"),
                List.of("--attach", "--json"),
                List.of("--socket"),
                List.of("--socket", ""),
                List.of("--etc"),
                List.of("--etc="),
                List.of("--etc", "a", "--etc", "b"),
                List.of("--socket", "a", "--socket", "b", "status"))) {
            Failure failure = assertThrows(Failure.class, () -> CommandLine.parse(wrong), wrong.toString());
            assertEquals(2, failure.status(), wrong.toString());
        }
    }
}
