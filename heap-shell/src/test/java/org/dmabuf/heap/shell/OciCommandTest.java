// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OciCommandTest {
    private static final String PROFILE = "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"x\":\"a\u202eb\"}";

    @TempDir
    Path folder;

    private final InMemoryBroker broker = InMemoryBroker.of();
    private final Gogo gogo = new Gogo(broker);
    private Path profile;

    @BeforeEach
    void profile() throws Exception {
        profile = Files.writeString(folder.resolve("profile.json"), PROFILE);
    }

    @AfterEach
    void close() {
        gogo.close();
        broker.close();
    }

    @Test
    void the_changed_profile_is_printed_as_json_without_invisible_characters() throws Exception {
        String printed = gogo.run("dmaheap:oci-profile -s /run/x -m camera-app " + profile);
        assertTrue(
                printed.startsWith("{\n  \"defaultAction\": \"SCMP_ACT_ALLOW\",\n  \"x\": \"a\\u202eb\",\n"), printed);
        assertTrue(
                printed.contains("  \"listenerPath\": \"/run/x\",\n  \"listenerMetadata\": \"camera-app\",\n"),
                printed);
        assertEquals(PROFILE, Files.readString(profile));
    }

    @Test
    void a_file_is_written_and_replaced_only_by_force() throws Exception {
        Path out = folder.resolve("out.json");
        String line = "dmaheap:oci-profile --out " + out + " " + profile;
        assertEquals("", gogo.run(line));
        String written = Files.readString(out);
        assertTrue(written.contains("\"listenerPath\": \"/run/dmaheap-agent/oci.socket\""), written);
        assertTrue(written.endsWith("}\n"));
        assertEquals("file " + out + " exists; replace it with --force, or give another name", gogo.refusal(line));
        gogo.run(line + " --force --metadata other");
        assertTrue(Files.readString(out).contains("\"listenerMetadata\": \"other\""));
    }

    @Test
    void wrong_input_is_refused_with_one_sentence() throws Exception {
        assertEquals(
                "file " + folder.resolve("no.json") + " does not exist",
                gogo.refusal("dmaheap:oci-profile " + folder.resolve("no.json")));
        assertTrue(gogo.refusal("dmaheap:oci-profile -f " + profile).startsWith("give --force only with --out; "));
        assertTrue(gogo.refusal("dmaheap:oci-profile -s x " + profile)
                .startsWith("invalid socket = 'x': expected an absolute path"));
        assertTrue(gogo.refusal("dmaheap:oci-profile").startsWith("usage: dmaheap:oci-profile [options] FILE"));
        Files.write(profile, new byte[] {'{', (byte) 0xff, '}'});
        assertEquals("invalid " + profile + ": expected text in UTF-8", gogo.refusal("dmaheap:oci-profile " + profile));
        Files.writeString(profile, "{\"defaultAction\":");
        assertTrue(gogo.refusal("dmaheap:oci-profile " + profile).startsWith("invalid " + profile + ": expected JSON"));
        Files.write(profile, new byte[(4 << 20) + 1]);
        assertTrue(gogo.refusal("dmaheap:oci-profile " + profile).contains("expected at most 4194304 bytes"));
    }
}
