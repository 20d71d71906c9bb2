// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;

class OciProfileTest {
    private static final Listener LISTENER =
            new Listener("/run/l", Optional.of("camera-app"), List.of("/dev/dma_heap/system", "/dev/ion"));
    private static final String RULE = "{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_ALLOW\"}";

    private static JsonObject changed(String text) {
        String changed = OciProfile.parse("p.json", text).withListener(LISTENER).toString();
        return JsonParser.parseString(changed).getAsJsonObject();
    }

    private static String refusal(String text) {
        return assertThrows(
                        IllegalArgumentException.class,
                        () -> OciProfile.parse("p.json", text).withListener(LISTENER))
                .getMessage();
    }

    private static String profile(String rules) {
        return "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[" + rules + "]}";
    }

    private static List<JsonObject> rules(JsonObject profile) {
        return StreamSupport.stream(profile.getAsJsonArray("syscalls").spliterator(), false)
                .map(JsonElement::getAsJsonObject)
                .toList();
    }

    @Test
    void a_profile_gets_the_listener_and_its_metadata() {
        JsonObject changed = changed(profile(RULE));
        assertEquals("/run/l", changed.get("listenerPath").getAsString());
        assertEquals("camera-app", changed.get("listenerMetadata").getAsString());
    }

    @Test
    void without_a_name_there_is_no_metadata() {
        String changed = OciProfile.parse("p.json", profile(RULE))
                .withListener(new Listener("/run/l", Optional.empty(), List.of()))
                .toString();
        assertFalse(changed.contains("listenerMetadata"), changed);
    }

    @Test
    void other_system_calls_keep_their_rule_and_ioctl_gets_disjoint_rules_of_its_own() {
        List<JsonObject> rules = rules(changed(profile("{\"names\":[\"read\",\"ioctl\",\"write\"],"
                + "\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"c\",\"includes\":{\"caps\":[\"CAP_X\"]}}")));
        assertEquals("[\"read\",\"write\"]", rules.getFirst().get("names").toString());
        List<String> sets = new ArrayList<>();
        for (JsonObject rule : rules.subList(1, rules.size())) {
            assertEquals("[\"ioctl\"]", rule.get("names").toString());
            assertEquals("c", rule.get("comment").getAsString());
            assertEquals("{\"caps\":[\"CAP_X\"]}", rule.get("includes").toString());
            if (rule.get("action").getAsString().equals("SCMP_ACT_NOTIFY")) {
                sets.add(rule.get("args").toString());
            }
        }
        assertEquals(
                List.of(
                                "65535,\"valueTwo\":18432",
                                "65535,\"valueTwo\":18688",
                                "65535,\"valueTwo\":18696",
                                "65535,\"valueTwo\":21248",
                                "65532,\"valueTwo\":25088")
                        .stream()
                        .map(set -> "[{\"index\":1,\"value\":" + set + ",\"op\":\"SCMP_CMP_MASKED_EQ\"}]")
                        .toList(),
                sets);
    }

    @Test
    void conditions_on_other_arguments_stay() {
        List<JsonObject> rules = rules(changed(profile("{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_ALLOW\","
                + "\"args\":[{\"index\":0,\"value\":3,\"op\":\"SCMP_CMP_LE\"}]}")));
        assertTrue(rules.size() > 5);
        for (JsonObject rule : rules) {
            assertEquals(
                    "{\"index\":0,\"value\":3,\"op\":\"SCMP_CMP_LE\"}",
                    rule.getAsJsonArray("args").get(0).toString());
            assertEquals(2, rule.getAsJsonArray("args").size());
        }
    }

    @Test
    void the_older_form_with_one_name_is_understood() {
        List<JsonObject> rules =
                rules(changed(profile("{\"name\":\"ioctl\",\"action\":\"SCMP_ACT_ALLOW\",\"args\":null},"
                        + "{\"name\":\"read\",\"action\":\"SCMP_ACT_ALLOW\",\"args\":[]}")));
        assertEquals("read", rules.getLast().get("name").getAsString());
        assertEquals("SCMP_ACT_NOTIFY", rules.getFirst().get("action").getAsString());
        assertEquals("ioctl", rules.getFirst().get("name").getAsString());
    }

    @Test
    void unknown_members_their_order_and_the_text_of_numbers_stay() {
        String config = """
            {"zeta":1.50,"ociVersion":"1.0.2","alpha":null,"linux":{"b":"<&é\\u0001","seccomp":{"x":[{}],\
            "defaultAction":"SCMP_ACT_ALLOW","y":18446744073709551615},"a":[]},"hooks":{}}\
            """;
        String changed = changed(config).toString();
        assertTrue(
                changed.startsWith("{\"zeta\":1.50,\"ociVersion\":\"1.0.2\",\"alpha\":null,"
                        + "\"linux\":{\"b\":\"<&é\\u0001\","
                        + "\"seccomp\":{\"x\":[{}],\"defaultAction\":\"SCMP_ACT_ALLOW\","
                        + "\"y\":18446744073709551615,\"listenerPath\""),
                changed);
        assertTrue(
                changed.endsWith(
                        "},\"a\":[],\"devices\":" + devices("/dev/dma_heap/system", "/dev/ion") + "},\"hooks\":{}}"),
                changed);
    }

    private static String devices(String... paths) {
        List<String> devices = new ArrayList<>();
        for (String path : paths) {
            devices.add("{\"path\":\"" + path + "\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":438,\"uid\":0,"
                    + "\"gid\":0}");
        }
        return "[" + String.join(",", devices) + "]";
    }

    @Test
    void a_config_without_a_profile_gets_one_that_permits_all_other_system_calls() {
        JsonObject linux = changed("{\"ociVersion\":\"1.0.2\",\"linux\":{}}").getAsJsonObject("linux");
        JsonObject seccomp = linux.getAsJsonObject("seccomp");
        assertEquals("SCMP_ACT_ALLOW", seccomp.get("defaultAction").getAsString());
        assertTrue(seccomp.get("architectures").toString().contains("SCMP_ARCH_X86_64"));
        assertEquals(5, rules(seccomp).size());
        assertEquals(
                devices("/dev/dma_heap/system", "/dev/ion"),
                linux.get("devices").toString());
    }

    @Test
    void a_node_that_is_there_already_is_not_added_again() {
        String own = devices("/dev/ion").replace("438", "432");
        JsonObject linux = changed("{\"ociVersion\":\"1.0.2\",\"linux\":{\"devices\":" + own + "}}")
                .getAsJsonObject("linux");
        assertEquals(
                own.replace("]", ",") + devices("/dev/dma_heap/system").substring(1),
                linux.get("devices").toString());
    }

    @Test
    void rules_that_repeat_the_default_action_are_left_out_since_they_cannot_be_divided() {
        List<JsonObject> rules = rules(changed(profile(RULE).replace("\"SCMP_ACT_ERRNO\"", "\"SCMP_ACT_ALLOW\"")));
        assertTrue(
                rules.stream().allMatch(rule -> rule.get("action").getAsString().equals("SCMP_ACT_NOTIFY")));
    }

    @Test
    void settings_that_cannot_be_changed_are_refused_with_the_path_and_the_reason() {
        String args = "{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[%s]}";
        String refused = "{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":1,\"value\":1,"
                + "\"op\":\"SCMP_CMP_EQ\"}]}";
        String[][] wrongs = {
            {"", "invalid content = null in p.json: expected an object"},
            {"[]", "invalid content = [] in p.json: expected an object"},
            {"{} {}", "invalid p.json: expected JSON at line 1 column 5"},
            {"{'a':1}", "invalid p.json: expected JSON at line 1 column 3 path $."},
            {"{\"a\":[1,]}", "invalid p.json: expected JSON at line 1 column 10 path $.a[1]"},
            {"[".repeat(100_000), "invalid p.json: expected JSON at line 1 column 66 path $[0][0]"},
            {"{}", "invalid p.json: expected a config.json with ociVersion, or a seccomp profile with defaultAction"},
            {"{\"ociVersion\":\"1\"}", "invalid content in p.json: expected linux, "},
            {"{\"ociVersion\":\"1\",\"linux\":3}", "invalid linux = 3 in p.json: expected an object"},
            {
                "{\"ociVersion\":\"1\",\"linux\":{\"seccomp\":{}}}",
                "invalid linux.seccomp in p.json: expected defaultAction, the name of an action"
            },
            {
                "{\"ociVersion\":\"1\",\"linux\":{\"devices\":{}}}",
                "invalid linux.devices = {} in p.json: expected an array"
            },
            {
                "{\"ociVersion\":\"1\",\"linux\":{\"devices\":[{\"path\":\"/dev/ion\",\"type\":\"b\"}]}}",
                "invalid linux.devices[0] = {\"path\":\"/dev/ion\",\"type\":\"b\"} in p.json: expected the null device"
            },
            {
                "{\"defaultAction\":\"SCMP_ACT_ALOW\"}",
                "invalid defaultAction = \"SCMP_ACT_ALOW\" in p.json: expected one of SCMP_ACT_ALLOW, SCMP_ACT_ERRNO,"
            },
            {
                "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/run/x\"}",
                "invalid listenerPath = \"/run/x\" in p.json: expected no listener"
            },
            {
                "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
                "expected another action, since a container has only one listener"
            },
            {
                "{\"ociVersion\":\"1\",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_TRAP\"}}}",
                "invalid linux.seccomp.syscalls in p.json: expected a rule that permits ioctl"
            },
            {profile(""), "invalid syscalls in p.json: expected a rule that permits ioctl"},
            {"{\"defaultAction\":\"SCMP_ACT_ERRNO\"}", "invalid syscalls in p.json: expected a rule that permits ioctl"
            },
            {
                profile("{\"names\":[1],\"action\":\"SCMP_ACT_ALLOW\"}"),
                "invalid syscalls[0].names[0] = 1 in p.json: expected a string"
            },
            {profile("{\"action\":\"SCMP_ACT_ALLOW\"}"), "in p.json: expected either names or name"},
            {profile("{\"names\":[\"ioctl\"]}"), "invalid syscalls[0] in p.json: expected action, the name of an action"
            },
            {
                profile(args.formatted("{\"index\":6,\"op\":\"SCMP_CMP_EQ\"}")),
                "invalid syscalls[0].args[0].index = 6 in p.json: expected 0 to 5"
            },
            {
                profile(args.formatted("{\"index\":1,\"value\":-1,\"op\":\"SCMP_CMP_EQ\"}")),
                "invalid syscalls[0].args[0].value = -1 in p.json: expected a whole number from 0 to 2^64 - 1"
            },
            {
                profile(args.formatted("{\"index\":1,\"value\":1e999999999,\"op\":\"SCMP_CMP_EQ\"}")),
                "expected a whole number"
            },
            {
                profile(args.formatted("{\"index\":1,\"value\":18446744073709551616,\"op\":\"SCMP_CMP_EQ\"}")),
                "expected a whole number"
            },
            {
                profile(args.formatted("{\"index\":1,\"value\":1,\"op\":\"SCMP_CMP_NE\"}")),
                "invalid syscalls[0].args[0].op = \"SCMP_CMP_NE\" in p.json: expected SCMP_CMP_EQ or SCMP_CMP_MASKED_EQ"
            },
            {
                profile(args.formatted("{\"index\":0,\"op\":\"SCMP_CMP_NE\"},{\"index\":0,\"op\":\"SCMP_CMP_GT\"}")),
                "in p.json: expected one condition for each index"
            },
            {profile(RULE + "," + refused), "expected no refusal of an ioctl that syscalls[0] permits"},
            {
                profile("{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_KILL\"}"),
                "expected no rule that refuses ioctls of heaps"
            },
        };
        for (String[] wrong : wrongs) {
            String shown = wrong[0].length() > 300 ? wrong[0].substring(0, 300) : wrong[0];
            String refusal = refusal(wrong[0]);
            assertTrue(refusal.contains(wrong[1]), shown + " was refused with: " + refusal);
            assertFalse(refusal.contains("\n"), refusal);
        }
    }

    @Test
    void a_listener_has_absolute_paths_and_the_name_of_a_client() {
        for (String path :
                new String[] {"", "run/l", "/", "/run//l", "/run/../l", "/run/.", "/run/", "/" + "x".repeat(107)}) {
            assertThrows(IllegalArgumentException.class, () -> new Listener(path, Optional.empty(), List.of()), path);
        }
        new Listener("/" + "x".repeat(106), Optional.empty(), List.of("/dev/..data/.x"));
        assertThrows(
                IllegalArgumentException.class, () -> new Listener("/run/l", Optional.empty(), List.of("dev/ion")));
        assertThrows(IllegalArgumentException.class, () -> new Listener("/run/l", Optional.of("a b"), List.of()));
    }
}
