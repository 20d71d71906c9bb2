// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import com.google.gson.JsonObject;
import java.math.BigInteger;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Conditions of a rule on the arguments of a system call: {@code args} of the runtime specification. */
final class Arguments {
    /** Index of ioctl's command. */
    static final int COMMAND = 1;

    private static final long ALL_BITS = -1;
    private static final int LAST = 5;
    private static final String EQUAL = "SCMP_CMP_EQ";
    private static final String MASKED_EQUAL = "SCMP_CMP_MASKED_EQ";

    private Arguments() {}

    /**
     * {@return the commands of ioctl to which a rule applies, whatever its conditions on other arguments}
     *
     * @throws IllegalArgumentException for conditions that are no conjunction, or for another comparison of the command
     */
    static Masked commands(JsonPlace rule) {
        Set<Integer> indexes = new HashSet<>();
        Masked commands = new Masked(0, 0);
        for (JsonPlace condition : of(rule)) {
            int index = index(condition);
            if (!indexes.add(index)) {
                throw condition.invalid("one condition for each index, since runtimes permit what meets either of two;"
                        + " make two rules");
            }
            if (index == COMMAND) {
                commands = set(condition);
            }
        }
        return commands;
    }

    private static Masked set(JsonPlace condition) {
        long value = condition.member("value").map(JsonPlace::word).orElse(0L);
        JsonPlace operator = condition.required("op", "a comparison");
        return switch (operator.text()) {
            case EQUAL -> new Masked(ALL_BITS, value);
            case MASKED_EQUAL ->
                new Masked(
                        value, condition.member("valueTwo").map(JsonPlace::word).orElse(0L));
            default ->
                throw operator.invalid(EQUAL + " or " + MASKED_EQUAL
                        + " for the command of ioctl; write the permitted commands as such sets");
        };
    }

    /** {@return the conditions on other arguments than one} */
    static List<JsonObject> except(int index, JsonPlace rule) {
        return of(rule).stream()
                .filter(condition -> index(condition) != index)
                .map(JsonPlace::object)
                .toList();
    }

    private static List<JsonPlace> of(JsonPlace rule) {
        return rule.member("args").map(JsonPlace::elements).orElse(List.of());
    }

    private static int index(JsonPlace condition) {
        Optional<JsonPlace> index = condition.member("index");
        long number = index.map(JsonPlace::word).orElse(0L);
        if (number < 0 || number > LAST) {
            throw index.orElse(condition).invalid("0 to " + LAST);
        }
        return (int) number;
    }

    /** {@return a condition on one argument} */
    static JsonObject condition(int index, Masked set) {
        JsonObject condition = new JsonObject();
        condition.addProperty("index", index);
        if (set.mask() == ALL_BITS) {
            condition.addProperty("value", unsigned(set.bits()));
            condition.addProperty("op", EQUAL);
        } else {
            condition.addProperty("value", unsigned(set.mask()));
            condition.addProperty("valueTwo", unsigned(set.bits()));
            condition.addProperty("op", MASKED_EQUAL);
        }
        return condition;
    }

    private static Number unsigned(long word) {
        return word >= 0 ? word : new BigInteger(Long.toUnsignedString(word));
    }
}
