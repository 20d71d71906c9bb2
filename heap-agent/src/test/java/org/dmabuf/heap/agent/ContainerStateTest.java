// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Test of the state that a container runtime sends; {@code agent.fuzz} is the number of random texts. */
class ContainerStateTest {
    private static final int TEXTS = Integer.getInteger("agent.fuzz", 20_000);
    private static final long SEED = Long.getLong("agent.seed", 20);
    private static final String STATE = """
            {"ociVersion":"1.0.2","fds":["seccompFd"],"pid":4422,"metadata":"camera \\u0041\\"x","state":{
             "ociVersion":"1.0.2","id":"oci-container1","status":"creating","pid":4422,"bundle":"/containers/redis",
             "annotations":{"myKey":"myValue","metadata":"root","deep":"{\\"metadata\\":\\"root\\"}"}}}
            """;

    @Test
    void the_state_names_the_container_and_its_process() {
        ContainerState state = ContainerState.of(STATE);
        assertEquals(new ContainerState("oci-container1", 4422, "camera A\"x"), state);
        assertEquals("camera A\"x", state.client());
        assertEquals(
                "oci-container1",
                ContainerState.of(STATE.replaceFirst("\"metadata\":\"[^,]*,", ""))
                        .client());
    }

    @Test
    void a_repeated_name_is_refused_because_another_reader_could_take_the_other_value() {
        String twice = STATE.replaceFirst("\"metadata\"", "\"metadata\":\"root\",\"metadata\"");
        assertThrows(IllegalArgumentException.class, () -> ContainerState.of(twice));
        String escaped = STATE.replaceFirst("\"metadata\"", "\"metadat\\\\u0061\":\"root\",\"metadata\"");
        assertThrows(IllegalArgumentException.class, () -> ContainerState.of(escaped));
    }

    @Test
    void values_of_another_type_are_refused_with_their_name() {
        assertRefused("pid", STATE.replaceFirst("4422", "\"4422\""));
        assertRefused("pid", STATE.replaceFirst("4422", "4422.5"));
        assertRefused("pid", STATE.replaceFirst("4422", "0"));
        assertRefused("pid", STATE.replaceFirst("4422", "1e300"));
        assertRefused("fds", STATE.replace("\"seccompFd\"", ""));
        assertRefused("metadata", STATE.replaceFirst("\"camera[^,]*,", "7,"));
        assertRefused("id", STATE.replace("\"oci-container1\"", "{}"));
        assertRefused("state", "[]");
        assertRefused("state", STATE.replace("\"state\":", "\"stat\":"));
    }

    private static void assertRefused(String name, String json) {
        String sentence = assertThrows(IllegalArgumentException.class, () -> ContainerState.of(json))
                .getMessage();
        assertTrue(sentence.startsWith("invalid " + name), sentence);
    }

    @Test
    void json_has_one_meaning() {
        assertEquals(
                Arrays.asList(1.0, -0.5e3, "\u00e9\n", true, false, null, Map.of(), List.of()),
                JsonReader.read(" [1, -0.5E+3, \"\\u00e9\\n\", true, false, null, {}, [ ] ]\n"));
        for (String text : List.of(
                "",
                "01",
                "1.",
                ".5",
                "+1",
                "1e",
                "nul",
                "\"a",
                "\"\\x\"",
                "\"\\u12g4\"",
                "\"\u0001\"",
                "[1,]",
                "{\"a\":1,}",
                "{a:1}",
                "[1 2]",
                "1 1",
                "'a'",
                "\u0000",
                "[".repeat(100_000))) {
            assertThrows(IllegalArgumentException.class, () -> JsonReader.read(text), text);
        }
    }

    @Test
    void random_texts_are_refused_or_read() {
        Random random = new Random(SEED);
        int read = 0;
        String signs = "{}[]\",:\\u0tfn19-+.eE \u0000\n\ud800\u00e9";
        for (int i = 0; i < TEXTS; i++) {
            StringBuilder text = new StringBuilder(random.nextBoolean() ? STATE : "[1,\"a\"]");
            for (int changes = random.nextInt(5); changes >= 0; changes--) {
                int at = random.nextInt(text.length());
                switch (random.nextInt(3)) {
                    case 0 -> text.deleteCharAt(at);
                    case 1 -> text.insert(at, signs.charAt(random.nextInt(signs.length())));
                    default -> text.setCharAt(at, signs.charAt(random.nextInt(signs.length())));
                }
            }
            try {
                JsonReader.read(text.toString());
                read++;
            } catch (IllegalArgumentException e) {
                assertTrue(e.getMessage().startsWith("invalid JSON at character "), e.getMessage());
            }
        }
        assertTrue(read > 0 && read < TEXTS, "read " + read);
    }
}
