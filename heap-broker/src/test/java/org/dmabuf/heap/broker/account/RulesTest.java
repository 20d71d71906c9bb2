// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Optional;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.BrokerParts;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RulesTest {
    private static final String[] NONE = {};

    private static void refuse(String setting, String entry, String right) {
        throw new IllegalArgumentException(setting + " = " + entry + ": " + right);
    }

    private static Rules rules(String[] heaps, String[] clients, String[] shares, String[] allow) {
        return RulesParser.parse(heaps, clients, shares, allow, NONE, RulesTest::refuse);
    }

    private static ClientId bundle(String symbolicName) {
        return BrokerParts.bundle(symbolicName);
    }

    private static ClientId at(String symbolicName, String location) {
        return ClientId.ofBundle(symbolicName, location);
    }

    private static Rules heaps(String... setting) {
        return rules(setting, NONE, NONE, NONE);
    }

    private static Rules clients(String... setting) {
        return rules(NONE, setting, NONE, NONE);
    }

    private static Rules shares(String... setting) {
        return rules(NONE, NONE, setting, NONE);
    }

    private static Rules allow(String... setting) {
        return rules(NONE, NONE, NONE, setting);
    }

    @Test
    void without_settings_there_is_no_limit_and_every_client_is_permitted() throws Exception {
        Rules rules = heaps("", "  ");
        assertEquals(Long.MAX_VALUE, rules.heapLimit("system"));
        assertEquals(Long.MAX_VALUE, rules.limit(bundle("org.example.camera")));
        assertEquals(Long.MAX_VALUE, rules.limit(bundle("org.example.camera"), "system"));
        assertDoesNotThrow(() -> rules.requireAllowed("system", false, at("org.example.camera", "file:x")));
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "4096, 4096",
        "64K, 65536",
        "64k, 65536",
        "64KiB, 65536",
        "512M, 536870912",
        "3G, 3221225472",
        "2T, 2199023255552",
        "9223372036854775807, 9223372036854775807",
        "8388607T, 9223370937343148032"
    })
    void a_size_is_bytes_or_has_a_unit(String text, long bytes) throws Exception {
        assertEquals(bytes, heaps("system=" + text).heapLimit("system"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "-1", "1X", "1.5M", "M", "64KK", "9223372036854775808", "8388608T", "99999999999999999999"})
    void an_invalid_size_is_reported_with_its_setting(String text) {
        String message = assertThrows(IllegalArgumentException.class, () -> heaps("system=" + text))
                .getMessage();
        assertEquals(
                "quota.heap = system=" + text + ": "
                        + (text.isEmpty()
                                ? "HEAP=SIZE, for instance system=512M"
                                : "a size in bytes, or a number with the suffix K, M, G or T"),
                message);
    }

    @Test
    void entries_are_separated_by_any_blanks_or_are_a_list() throws Exception {
        for (Rules rules : new Rules[] {
            heaps(" linux,cma=1K \n\t reserved@1f000000=2K a=b=3K "),
            heaps("linux,cma=1K", "reserved@1f000000=2K a=b=3K")
        }) {
            assertEquals(1024, rules.heapLimit("linux,cma"));
            assertEquals(2048, rules.heapLimit("reserved@1f000000"));
            assertEquals(3072, rules.heapLimit("a=b"));
            assertEquals(Long.MAX_VALUE, rules.heapLimit("a"));
        }
    }

    @Test
    void two_quotas_of_one_heap_are_refused() {
        assertEquals(
                "quota.heap = a=2K: only one entry for each heap",
                assertThrows(IllegalArgumentException.class, () -> heaps("a=1K a=2K"))
                        .getMessage());
    }

    @Test
    void the_first_entry_that_matches_a_bundle_applies() throws Exception {
        Rules rules = clients("org.example.camera=1K org.example.*=2K *=3K");
        assertEquals(1024, rules.limit(bundle("org.example.camera")));
        assertEquals(2048, rules.limit(bundle("org.example.camera.rear")));
        assertEquals(2048, rules.limit(bundle("org.example.")));
        assertEquals(3072, rules.limit(bundle("org-example-camera")));
        assertEquals(Long.MAX_VALUE, rules.limit(bundle("org.example.camera"), "system"));
    }

    @Test
    void a_quota_on_one_heap_applies_to_no_other() throws Exception {
        Rules rules = shares("org.example.camera/system=1K */linux,cma=2K");
        assertEquals(1024, rules.limit(bundle("org.example.camera"), "system"));
        assertEquals(2048, rules.limit(bundle("org.example.camera"), "linux,cma"));
        assertEquals(Long.MAX_VALUE, rules.limit(bundle("org.example.display"), "system"));
        assertEquals(Long.MAX_VALUE, rules.limit(bundle("org.example.camera")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"system", "=1K", "org.example/=1K", "/system=1K", "=", "org.example.camera=1K"})
    void an_incomplete_quota_on_one_heap_is_reported(String entry) {
        assertEquals(
                "quota.client.on.heap = " + entry + ": CLIENT/HEAP=SIZE, for instance org.example.camera/system=64M",
                assertThrows(IllegalArgumentException.class, () -> shares(entry))
                        .getMessage());
    }

    @Test
    void a_quota_on_one_heap_in_the_setting_for_all_heaps_is_reported() {
        assertEquals(
                "quota.client = a/system=1K: CLIENT=SIZE; a quota on one heap belongs in quota.client.on.heap",
                assertThrows(IllegalArgumentException.class, () -> clients("a/system=1K"))
                        .getMessage());
    }

    @Test
    void a_heap_with_entries_is_open_only_to_the_listed_clients() throws Exception {
        Rules rules = allow(
                "camera=org.example.camera camera=file:/opt/trusted/*" + " camera=org.example.*@http://example.org/*");
        assertDoesNotThrow(() -> rules.requireAllowed("camera", false, at("org.example.camera", "anywhere:")));
        assertDoesNotThrow(() -> rules.requireAllowed("camera", true, at("any", "file:/opt/trusted/a/b.jar")));
        assertDoesNotThrow(() -> rules.requireAllowed("camera", false, at("org.example.rear", "http://example.org/x")));
        for (String[] other : new String[][] {
            {"org.example.rear", "file:/opt/other/x"},
            {"com.example", "http://example.org/x"},
            {"org.example.camera2", "file:/x/opt/trusted/"}
        }) {
            HeapException refusal = assertThrows(
                    HeapException.class, () -> rules.requireAllowed("camera", false, at(other[0], other[1])));
            assertEquals(Errno.EACCES, refusal.errno());
            assertEquals(Optional.of("camera"), refusal.heap());
            assertEquals(
                    "heap 'camera': bundle " + other[0] + " at " + other[1] + " may not use it; to permit it, add"
                            + " camera=" + other[0] + " to allow in org.dmabuf.heap.broker",
                    refusal.getMessage());
            assertDoesNotThrow(
                    () -> rules.requireAllowed("system", false, at(other[0], other[1])), "a heap that is not named");
        }
    }

    @Test
    void a_restricted_heap_is_closed_to_clients_that_are_not_listed() throws Exception {
        String camera = "org.example.camera";
        assertThrows(HeapException.class, () -> Rules.NONE.requireAllowed("secure", true, at(camera, "file:x")));
        Rules other = allow("system=*");
        assertThrows(HeapException.class, () -> other.requireAllowed("secure", true, at(camera, "file:x")));
        Rules rules = allow("secure=*");
        assertDoesNotThrow(() -> rules.requireAllowed("secure", true, at(camera, "file:x")));
    }

    @Test
    void characters_of_regular_expressions_have_no_special_meaning() throws Exception {
        Rules rules = allow("camera=org.example.camera camera=a\\Eb");
        assertThrows(HeapException.class, () -> rules.requireAllowed("camera", false, at("org-example-camera", "x")));
        assertDoesNotThrow(() -> rules.requireAllowed("camera", false, at("a\\Eb", "x")));
    }

    /** Each pattern with a client that it matches, and one that it does not match. */
    @ParameterizedTest
    @CsvSource({
        "org.example.camera, b:org.example.camera|file:x, b:org.example.camera2|file:x",
        "org.example.*, b:org.example.camera|file:x, f:uid|1000",
        "file:/opt/*, b:any|file:/opt/a.jar, b:any|file:/tmp/a.jar",
        "file:/opt/me@home.jar, b:any|file:/opt/me@home.jar, b:file|/opt/me",
        "org.example.*@file:/opt/*, b:org.example.a|file:/opt/a.jar, b:org.example.a|file:/tmp/a.jar",
        "org.example.*@file:/opt/*, b:org.example.a|file:/opt/a.jar, b:com.example.a|file:/opt/a.jar",
        "uid:1000, f:uid|1000, f:uid|10001",
        "uid:1*, f:uid|1000, f:gid|1000",
        "uid:*, f:uid|7, b:uid|file:x",
        "@file:/opt/old.jar, b:|file:/opt/old.jar, b:|file:/opt/new.jar",
        "*, f:uid|7, ''"
    })
    void a_pattern_matches_by_name_location_both_or_kind(String pattern, String meant, String other) {
        Rules rules = clients(pattern + "=1K");
        assertEquals(1024, rules.limit(id(meant)));
        if (!other.isEmpty()) {
            assertEquals(Long.MAX_VALUE, rules.limit(id(other)));
        }
        Rules both = shares(pattern + "/system=2K");
        assertEquals(2048, both.limit(id(meant), "system"));
        Rules views = RulesParser.parse(NONE, NONE, NONE, NONE, new String[] {pattern}, RulesTest::refuse);
        assertDoesNotThrow(() -> views.requireViewsAllowed(id(meant)));
    }

    private static ClientId id(String text) {
        String[] parts = text.substring(2).split("\\|");
        return text.startsWith("b:") ? ClientId.ofBundle(parts[0], parts[1]) : ClientId.of(parts[0], parts[1]);
    }

    @Test
    void only_listed_clients_may_open_views_and_none_without_a_setting() {
        ClientId gateway = bundle("org.example.gateway");
        Rules rules =
                RulesParser.parse(NONE, NONE, NONE, NONE, new String[] {"org.example.gateway"}, RulesTest::refuse);
        assertDoesNotThrow(() -> rules.requireViewsAllowed(gateway));
        HeapException refusal =
                assertThrows(HeapException.class, () -> rules.requireViewsAllowed(bundle("org.example.camera")));
        assertEquals(Errno.EACCES, refusal.errno());
        assertEquals(Optional.empty(), refusal.heap());
        assertEquals(
                "bundle org.example.camera at test:org.example.camera may not open the broker for other clients; to"
                        + " permit it, add org.example.camera to views.allow in org.dmabuf.heap.broker",
                refusal.getMessage());
        assertThrows(HeapException.class, () -> Rules.NONE.requireViewsAllowed(gateway));
    }

    @ParameterizedTest
    @ValueSource(strings = {"camera", "camera=", "=org.example"})
    void an_incomplete_permission_is_reported(String entry) {
        assertEquals(
                "allow = " + entry + ": HEAP=CLIENT, for instance secure=org.example.*",
                assertThrows(IllegalArgumentException.class, () -> allow(entry)).getMessage());
    }
}
