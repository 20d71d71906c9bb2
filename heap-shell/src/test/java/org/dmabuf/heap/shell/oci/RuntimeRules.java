// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Interpreter of a profile's rules on ioctl, as runc and libseccomp apply them. It reads the profile by itself and
 * shares no code with the product.
 */
final class RuntimeRules {
    private record Condition(int index, long value, long valueTwo, String operator) {
        boolean meets(long[] arguments) {
            long argument = arguments[index];
            int order = Long.compareUnsigned(argument, value);
            return switch (operator) {
                case "SCMP_CMP_EQ" -> order == 0;
                case "SCMP_CMP_NE" -> order != 0;
                case "SCMP_CMP_LT" -> order < 0;
                case "SCMP_CMP_LE" -> order <= 0;
                case "SCMP_CMP_GE" -> order >= 0;
                case "SCMP_CMP_GT" -> order > 0;
                case "SCMP_CMP_MASKED_EQ" -> (argument & value) == (valueTwo & value);
                default -> throw new AssertionError(operator);
            };
        }
    }

    private record Rule(String action, List<Condition> conditions) {
        boolean meets(long[] arguments) {
            for (Condition condition : conditions) {
                if (!condition.meets(arguments)) {
                    return false;
                }
            }
            return true;
        }
    }

    private final JsonObject resolved;
    private final String defaultAction;
    private final List<Rule> rules = new ArrayList<>();
    private final boolean always;

    /**
     * Reads a profile.
     *
     * @param text in either form
     * @param capabilities of the container, for Docker's {@code includes} and {@code excludes}
     */
    RuntimeRules(String text, Set<String> capabilities) {
        resolved = JsonParser.parseString(text).getAsJsonObject();
        defaultAction = resolved.get("defaultAction").getAsString();
        JsonArray applicable = new JsonArray();
        for (JsonElement element : resolved.getAsJsonArray("syscalls")) {
            JsonObject rule = element.getAsJsonObject();
            if (capabilities.containsAll(caps(rule, "includes"))
                    && capabilities.stream().noneMatch(caps(rule, "excludes")::contains)) {
                applicable.add(rule);
                read(rule);
            }
        }
        resolved.add("syscalls", applicable);
        if (resolved.has("archMap")) {
            JsonArray architectures = new JsonArray();
            for (JsonElement element : resolved.getAsJsonArray("archMap")) {
                architectures.add(element.getAsJsonObject().get("architecture"));
                architectures.addAll(element.getAsJsonObject().getAsJsonArray("subArchitectures"));
            }
            resolved.add("architectures", architectures);
        }
        always = rules.stream().anyMatch(rule -> rule.conditions().isEmpty());
    }

    private static Set<String> caps(JsonObject rule, String list) {
        Set<String> caps = new TreeSet<>();
        if (rule.has(list) && rule.getAsJsonObject(list).has("caps")) {
            rule.getAsJsonObject(list).getAsJsonArray("caps").forEach(cap -> caps.add(cap.getAsString()));
        }
        return caps;
    }

    private void read(JsonObject rule) {
        String action = rule.get("action").getAsString();
        boolean onIoctl = false;
        for (JsonElement name : rule.getAsJsonArray("names")) {
            onIoctl |= name.getAsString().equals("ioctl");
        }
        if (!onIoctl || action.equals(defaultAction)) {
            return;
        }
        List<Condition> conditions = new ArrayList<>();
        if (rule.has("args")) {
            for (JsonElement element : rule.getAsJsonArray("args")) {
                JsonObject condition = element.getAsJsonObject();
                conditions.add(new Condition(
                        condition.get("index").getAsInt(),
                        condition.get("value").getAsBigInteger().longValue(),
                        condition.has("valueTwo")
                                ? condition.get("valueTwo").getAsBigInteger().longValue()
                                : 0,
                        condition.get("op").getAsString()));
            }
        }
        boolean conjunction =
                conditions.stream().map(Condition::index).distinct().count() == conditions.size();
        if (conjunction) {
            rules.add(new Rule(action, conditions));
        } else {
            conditions.forEach(condition -> rules.add(new Rule(action, List.of(condition))));
        }
    }

    /** {@return the profile in the form of the runtime specification} */
    String specification() {
        return resolved.toString();
    }

    /**
     * {@return the action on an ioctl}
     *
     * @throws AssertionError if only libseccomp's internal order decides it
     */
    String verdict(long... arguments) {
        String found = null;
        for (Rule rule : rules) {
            boolean unconditional = rule.conditions().isEmpty();
            if (unconditional != always || !rule.meets(arguments)) {
                continue; // libseccomp keeps no condition beside a rule without
            }
            if (found != null && !found.equals(rule.action())) {
                throw new AssertionError(
                        "0x" + Long.toHexString(arguments[1]) + " has the verdicts " + found + " and " + rule.action());
            }
            found = rule.action();
        }
        return found == null ? defaultAction : found;
    }
}
