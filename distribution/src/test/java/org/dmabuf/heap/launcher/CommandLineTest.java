// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class CommandLineTest {
    @Test
    void words_are_one_command() throws Failure {
        CommandLine line = CommandLine.parse(List.of("dmaheap:list", "|", "grep", "system"));
        assertEquals(new CommandLine(false, false, false, Optional.of("dmaheap:list | grep system")), line);
    }

    @Test
    void options_after_the_first_word_are_the_commands_own() throws Failure {
        CommandLine line = CommandLine.parse(List.of("-v", "dmaheap:list", "-a", "--help"));
        assertTrue(line.verbose());
        assertFalse(line.help());
        assertEquals(Optional.of("dmaheap:list -a --help"), line.command());
    }

    @Test
    void nothing_and_blanks_are_no_command() throws Failure {
        assertEquals(Optional.empty(), CommandLine.parse(List.of()).command());
        assertEquals(Optional.empty(), CommandLine.parse(List.of("", " ")).command());
    }

    @Test
    void help_is_asked_for_in_two_ways() throws Failure {
        assertTrue(CommandLine.parse(List.of("-h")).help());
        assertTrue(CommandLine.parse(List.of("--help")).help());
    }

    @Test
    void daemon_runs_no_command() throws Failure {
        assertTrue(CommandLine.parse(List.of("-v", "--daemon")).daemon());
        Failure failure = assertThrows(Failure.class, () -> CommandLine.parse(List.of("--daemon", "dmaheap:list")));
        assertEquals("--daemon runs no command, so leave out one of the two: dmaheap:list", failure.getMessage());
        assertEquals(2, failure.status());
    }

    @Test
    void unknown_option_is_named_and_ends_with_status_2() {
        Failure failure = assertThrows(Failure.class, () -> CommandLine.parse(List.of("-v", "--heaps")));
        assertEquals("unknown option '--heaps'; see --help", failure.getMessage());
        assertEquals(2, failure.status());
    }
}
