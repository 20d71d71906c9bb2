// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BufferCommandsTest {
    @TempDir
    Path folder;

    private final InMemoryBroker broker = InMemoryBroker.of(InMemoryHeap.of("system", 8L << 20));
    private final Gogo gogo = new Gogo(broker);

    @AfterEach
    void close() {
        gogo.close();
        broker.close();
    }

    @Test
    void a_command_prints_to_its_own_output_which_can_be_redirected_to_a_file() throws Exception {
        Path file = folder.resolve("message");
        assertEquals("", gogo.run("dmaheap:alloc -n one 4K > " + file));
        assertTrue(Files.readString(file)
                .startsWith("buffer                one\nsize                  4096 bytes (4 KiB)"));
        assertTrue(gogo.run("dmaheap:alloc -n two 4K; dmaheap:buffers").contains("\none   4 KiB  system"));
    }

    @Test
    void facts_have_json() throws Exception {
        String made = gogo.run("dmaheap:alloc --json -n one --no-export 4K");
        assertTrue(
                made.startsWith("{\"name\":\"one\",\"size\":4096,\"content\":4096,\"heap\":\"system\",\"backend\":"),
                made);
        assertEquals("[\n" + made + "\n]", gogo.run("dmaheap:buffers --json"));
        gogo.run("dmaheap:free one");
        assertEquals("[]", gogo.run("dmaheap:buffers --json"));
        assertEquals("", gogo.run("dmaheap:buffers"));
    }

    @Test
    void several_buffers_are_freed_by_names_and_patterns_all_or_none() throws Exception {
        for (String name : new String[] {"a", "b", "zero", "zebra", "x*"}) {
            gogo.run("dmaheap:alloc -n '" + name + "' 4K");
        }
        assertEquals(
                "unknown buffer 'c': expected one of a, b, x*, zebra, zero", gogo.refusal("dmaheap:free a b c 'z*'"));
        assertEquals(
                "no buffer matches 'y*': expected one of a, b, x*, zebra, zero", gogo.refusal("dmaheap:free a 'y*'"));
        gogo.run("dmaheap:free a a 'z*'");
        gogo.run("dmaheap:free 'x*'");
        assertTrue(gogo.run("dmaheap:buffers").lines().skip(1).allMatch(line -> line.startsWith("b ")));
        assertTrue(gogo.refusal("dmaheap:free").startsWith("usage: dmaheap:free [options] NAME... (see"));
        assertTrue(gogo.refusal("dmaheap:free --all b").startsWith("give names or --all, not both"));
        gogo.run("dmaheap:free --all");
        broker.requireNothingOpen();
        assertEquals("unknown buffer 'b': the shell holds no buffers", gogo.refusal("dmaheap:free b"));
    }

    @Test
    void a_buffer_is_filled_shown_and_saved() throws Exception {
        gogo.run("dmaheap:alloc -n one 4K");
        gogo.run("dmaheap:fill one 0xff");
        gogo.run("dmaheap:fill one --pattern 48690a -o 16 -l 4");
        assertEquals("""
            00000000  ff ff ff ff ff ff ff ff  ff ff ff ff ff ff ff ff  |................|
            00000010  48 69 0a 48 ff ff ff ff  ff ff ff ff ff ff ff ff  |Hi.H............|
            00000020  ff ff ff ff ff ff ff ff  ff ff ff ff ff ff ff ff  |................|
            *
            00000100\
            """, gogo.run("dmaheap:hexdump one"));
        assertEquals("""
            00000011  69 0a 48                                          |i.H|
            00000014\
            """, gogo.run("dmaheap:hexdump one --offset 0x11 --length 3"));
        Path file = folder.resolve("saved");
        gogo.run("dmaheap:save one " + file);
        byte[] expected = new byte[4096];
        Arrays.fill(expected, (byte) 0xff);
        System.arraycopy(new byte[] {0x48, 0x69, 0x0a, 0x48}, 0, expected, 16, 4);
        assertArrayEquals(expected, Files.readAllBytes(file));
        gogo.run("dmaheap:fill one --zero");
        gogo.run("dmaheap:save --force one " + file);
        assertArrayEquals(new byte[4096], Files.readAllBytes(file));
        gogo.run("dmaheap:fill one --random");
        assertEquals(
                "file " + file + " exists; replace it with --force, or give another name",
                gogo.refusal("dmaheap:save one " + file));
        assertArrayEquals(new byte[4096], Files.readAllBytes(file));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "dmaheap:fill one | give one of BYTE, --zero, --random and --pattern HEX",
                "dmaheap:fill one 1 --zero | give one of BYTE, --zero, --random and --pattern HEX, not 2 of them",
                "dmaheap:fill one 256 | invalid BYTE = 256: expected 0 to 255, or 0x0 to 0xff",
                "dmaheap:fill one -- -1 | invalid BYTE = -1: expected 0 to 255, or 0x0 to 0xff",
                "dmaheap:fill one 0xfff | invalid BYTE = 0xfff: expected 0 to 255, or 0x0 to 0xff",
                "dmaheap:fill one '#f' | invalid BYTE = #f: expected 0 to 255, or 0x0 to 0xff",
                "dmaheap:fill one --pattern 0011 | ambiguous number 11: expected quotes around it, since the shell"
                        + " reads it as a number and may change it",
                "dmaheap:fill one -p 5f | ambiguous number 5.0: expected quotes around it, since the shell"
                        + " reads it as a number and may change it",
                "dmaheap:alloc -n 1d 4K | ambiguous number 1.0: expected quotes around it, since the shell"
                        + " reads it as a number and may change it",
                "dmaheap:save one '' | invalid FILE = '': expected the path of a file",
                "dmaheap:save one /tmp/new/ | invalid FILE = '/tmp/new/': expected the path of a file",
                "dmaheap:load /tmp/ | invalid FILE = '/tmp/': expected the path of a file",
                "dmaheap:fill one --pattern abc | invalid --pattern = abc: expected pairs of hexadecimal digits, 1 to"
                        + " 4096 bytes",
                "dmaheap:fill one 0 -o 4096 | invalid --offset = 4096: expected 0 to 4095, the end of the buffer",
                "dmaheap:hexdump one -o 4K | invalid --offset = 4K: expected 0 to 4095, the end of the buffer",
                "dmaheap:hexdump one -o 4095 -l 2 | invalid --length = 2: expected 1 to 1, the end of the buffer",
                "dmaheap:hexdump one -l 0 | invalid --length = 0: expected 1 to 4096, the end of the buffer",
                "dmaheap:hexdump one -o 1 -l 0x7fffffffffffffff | invalid --length = 0x7fffffffffffffff: expected 1 to"
                        + " 4095, the end of the buffer",
                "dmaheap:hexdump one -l 9000000T | '9000000T' exceeds the largest possible size",
                "dmaheap:hexdump one -o 0xffffffffffffffff | invalid size = '0xffffffffffffffff': expected 0x and"
                        + " up to 15 hexadecimal digits",
                "dmaheap:alloc -h a -m 1 4K | give --heap or --mask, not both",
                "dmaheap:alloc --read-only --no-export 4K | give --read-only or --no-export, not both",
                "dmaheap:alloc -n one 4K | buffer 'one' exists; free it (dmaheap:free one) or give another"
                        + " name with --name",
                "dmaheap:sum two | unknown buffer 'two': expected one of one",
                "dmaheap:share one /tmp/x/ | invalid SOCKET = '/tmp/x/': expected the path of a file, at most 107"
                        + " bytes",
            })
    void a_command_that_fails_prints_one_sentence(String line, String sentence) throws Exception {
        gogo.run("dmaheap:alloc -n one 4K");
        assertEquals(sentence, gogo.refusal(line));
    }

    @Test
    void digits_of_a_pattern_count_where_the_shell_leaves_them() throws Exception {
        gogo.run("dmaheap:alloc -n one 4K");
        for (String pattern : new String[] {"--pattern '0011'", "--pattern=0011", "-p \"0011\"", "-p0011"}) {
            gogo.run("dmaheap:fill one 0");
            gogo.run("dmaheap:fill one " + pattern);
            assertTrue(gogo.run("dmaheap:hexdump one -l 4").startsWith("00000000  00 11 00 11 "), pattern);
        }
    }

    @Test
    void a_byte_that_begins_with_zero_is_decimal() throws Exception {
        gogo.run("dmaheap:alloc -n one 4K");
        gogo.run("dmaheap:fill one '010'");
        assertTrue(gogo.run("dmaheap:hexdump one -l 1").startsWith("00000000  0a "));
    }

    @Test
    void buffers_are_listed_in_80_columns_with_names_in_full() throws Exception {
        String heap = "h".repeat(64);
        try (InMemoryBroker other = InMemoryBroker.of(InMemoryHeap.of(heap, 8L << 20));
                Gogo shell = new Gogo(other)) {
            String name = "n".repeat(31);
            shell.run("dmaheap:alloc -n " + name + " 4K");
            String table = shell.run("dmaheap:buffers");
            assertTrue(table.lines().allMatch(line -> line.length() <= 80), table);
            assertTrue(table.contains(name), table);
            shell.run("dmaheap:free --all");
        }
    }

    @Test
    void a_buffer_without_a_descriptor_is_not_shared_and_there_is_no_socket() throws Exception {
        gogo.run("dmaheap:alloc -n one --no-export 4K");
        Path socket = folder.resolve("s");
        String sentence = gogo.refusal("dmaheap:share one " + socket);
        assertTrue(sentence.contains("one"), sentence);
        assertTrue(Files.notExists(socket));
        assertEquals(sentence, gogo.refusal("dmaheap:send one " + socket));
    }

    @Test
    void help_is_given_for_each_command_with_its_options() throws Exception {
        for (String command : new String[] {
            "alloc", "load", "buffers", "free", "sum", "save", "fill", "hexdump", "share", "send", "receive"
        }) {
            String help = gogo.run("dmaheap:" + command + " --help");
            assertTrue(help.startsWith("usage: dmaheap:" + command + " "), help);
            assertTrue(help.lines().allMatch(line -> line.length() <= 80), help);
        }
    }
}
