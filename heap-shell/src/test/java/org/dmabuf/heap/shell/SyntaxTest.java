// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SyntaxTest {
    private static final Option HEAP = Option.valued('h', "heap", "NAMES", "heaps to ask in turn");
    private static final Option FLAG = Option.flag('r', "read-only", "receivers can only read");
    private static final Option OTHER = Option.flag('q', "quick", "do less");
    private static final Syntax ALLOC =
            Syntax.of("alloc", "Allocates a buffer").taking("SIZE", 1, 1).with(HEAP, FLAG, OTHER);

    @ParameterizedTest
    @ValueSource(strings = {"-h x 4K", "-hx 4K", "--heap x 4K", "--heap=x 4K", "4K -h x", "--heap x -- 4K"})
    void a_value_may_follow_its_option_in_each_form(String line) {
        Line parsed = ALLOC.parse((Object[]) line.split(" "));
        assertEquals(Optional.of("x"), parsed.value(HEAP));
        assertEquals(List.of("4K"), parsed.arguments());
        assertFalse(parsed.has(FLAG));
    }

    @Test
    void a_value_that_begins_with_two_dashes_follows_an_equals_sign() {
        assertEquals(Optional.of("--quick"), ALLOC.parse("--heap=--quick", "4K").value(HEAP));
        assertEquals(Optional.of("-5"), ALLOC.parse("--heap", "-5", "4K").value(HEAP));
    }

    @Test
    void letters_without_a_value_may_stand_together_before_one_with_a_value() {
        Line parsed = ALLOC.parse("-rqhx", "4K");
        assertTrue(parsed.has(FLAG) && parsed.has(OTHER));
        assertEquals(Optional.of("x"), parsed.value(HEAP));
    }

    @Test
    void a_word_after_two_dashes_is_an_argument() {
        assertEquals(List.of("-x"), ALLOC.parse("--", "-x").arguments());
        assertEquals(List.of("--help"), ALLOC.parse("--", "--help").arguments());
        assertEquals(List.of("-"), ALLOC.parse("-").arguments());
    }

    @Test
    void help_is_given_whatever_else_is_wrong() {
        assertTrue(ALLOC.parse("--colour", "--help").help());
        assertEquals("""
                usage: dmaheap:alloc [options] SIZE

                Allocates a buffer.

                  -h, --heap NAMES  heaps to ask in turn
                  -r, --read-only   receivers can only read
                  -q, --quick       do less
                      --help        print this""", ALLOC.help());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--colour 4K | unknown option --colour: expected one of --heap, --read-only, --quick; put -- before",
                "-x 4K | unknown option -x: expected one of",
                "-5 | unknown option -5: expected one of",
                "--heap=a --heap=b 4K | option --heap occurs twice; give it once",
                "-h a --heap b 4K | option --heap occurs twice",
                "-r -r 4K | option --read-only occurs twice",
                "4K --heap | option --heap needs a value: NAMES; usage: dmaheap:alloc [options] SIZE (see:",
                "4K -h | option --heap needs a value: NAMES",
                "--heap= 4K | option --heap needs a value: NAMES",
                "--heap -- 4K | option --heap needs a value: NAMES",
                "--heap --read-only 4K | option --heap needs a value: NAMES",
                "4K -h --quick | option --heap needs a value: NAMES",
                "--read-only=yes 4K | option --read-only takes no value",
                "4K 8K | invalid arguments '4K 8K'; usage: dmaheap:alloc [options] SIZE",
            })
    void a_line_that_does_not_fit_the_syntax_is_refused_with_a_sentence(String line, String sentence) {
        String message = assertThrows(IllegalArgumentException.class, () -> ALLOC.parse((Object[]) line.split(" ")))
                .getMessage();
        assertTrue(message.startsWith(sentence), message);
    }

    @Test
    void without_arguments_a_command_prints_its_usage_only() {
        assertEquals(
                "usage: dmaheap:alloc [options] SIZE (see: dmaheap:alloc --help)",
                assertThrows(IllegalArgumentException.class, ALLOC::parse).getMessage());
        assertEquals(
                "unknown option --all: dmaheap:list has no options; put -- before an argument that begins with -",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> Syntax.of("list", "Lists the heaps").parse("--all"))
                        .getMessage());
    }
}
