// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Rules of a seccomp profile, of which those on ioctl are changed: the ioctls of heaps go to a listener instead of
 * being permitted. The verdict on every other system call and ioctl stays.
 *
 * <p>libseccomp drops the rules with conditions on a system call that also has a rule without conditions, and it has no
 * condition for "not equal to any of these". A rule that permits ioctl is therefore replaced by rules for disjoint sets
 * of commands. Sets that overlap would leave the verdict to libseccomp's internal order.
 */
final class IoctlRules {
    private static final String IOCTL = "ioctl";
    private static final String NOTIFY = "SCMP_ACT_NOTIFY";
    /** Actions that execute the system call. */
    private static final Set<String> PERMITTING = Set.of("SCMP_ACT_ALLOW", "SCMP_ACT_LOG");

    private static final Set<String> DENYING = Set.of(
            "SCMP_ACT_ERRNO",
            "SCMP_ACT_KILL",
            "SCMP_ACT_KILL_PROCESS",
            "SCMP_ACT_KILL_THREAD",
            "SCMP_ACT_TRACE",
            "SCMP_ACT_TRAP");

    /**
     * Low 16 bits, type and number, of the ioctls that a listener serves: DMA_HEAP_IOCTL_ALLOC, ION_IOC_ALLOC,
     * ION_IOC_HEAP_QUERY, SA_IOC_ALLOC, and those of a dma-buf from SYNC to IMPORT_SYNC_FILE. The size of the struct
     * and the direction are in the high bits, and older programs have other sizes.
     */
    static final SortedSet<Integer> SERVED =
            new TreeSet<>(List.of(0x4800, 0x4900, 0x4908, 0x5300, 0x6200, 0x6201, 0x6202, 0x6203));

    private static final List<Masked> OURS = Masked.lowWordsIn(SERVED);
    private static final List<Masked> OTHERS = Masked.lowWordsNotIn(SERVED);

    /** A rule on ioctl alone, with its condition on the command. */
    private record OnIoctl(JsonPlace rule, String action, Masked commands) {
        boolean permits() {
            return PERMITTING.contains(action);
        }

        boolean meetsOurs() {
            return OURS.stream().anyMatch(set -> commands.and(set).isPresent());
        }

        /** {@return this rule with another action and fewer commands} */
        JsonObject with(String newAction, Masked fewer) {
            JsonObject copy = rule.object().deepCopy();
            copy.addProperty("action", newAction);
            JsonArray conditions = new JsonArray();
            Arguments.except(Arguments.COMMAND, rule).forEach(conditions::add);
            conditions.add(Arguments.condition(Arguments.COMMAND, fewer));
            copy.add("args", conditions);
            return copy;
        }
    }

    private final String defaultAction;
    private final JsonPlace syscalls;
    private final List<OnIoctl> split = new ArrayList<>();
    private final List<OnIoctl> denying = new ArrayList<>();
    private final Set<JsonElement> rules = new LinkedHashSet<>();
    private boolean notified;

    private IoctlRules(String defaultAction, JsonPlace syscalls) {
        this.defaultAction = defaultAction;
        this.syscalls = syscalls;
    }

    /**
     * Changes the rules of a profile.
     *
     * @param profile a seccomp profile, which stays unchanged
     * @return rules in the order of the profile
     * @throws IllegalArgumentException if the profile is invalid, if it has rules on ioctl that cannot be kept, or if
     *     it permits no ioctl of a heap
     */
    static JsonArray of(JsonPlace profile) {
        JsonPlace action = profile.required("defaultAction", "the name of an action");
        requireKnown(action);
        return new IoctlRules(action.text(), profile.arrayOrEmpty("syscalls")).changed();
    }

    private JsonArray changed() {
        for (JsonPlace rule : syscalls.elements()) {
            add(rule);
        }
        requireSeparate();
        if (PERMITTING.contains(defaultAction)) {
            OURS.forEach(set -> rules.add(notice(set)));
        } else if (!notified) {
            throw new IllegalArgumentException("invalid " + syscalls.path() + " in " + syscalls.file()
                    + ": expected a rule that permits ioctl, since the default action " + defaultAction
                    + " refuses it; the listener continues ioctls of other devices and cannot refuse them");
        }
        JsonArray changed = new JsonArray();
        rules.forEach(changed::add);
        return changed;
    }

    private static JsonObject notice(Masked set) {
        JsonObject rule = new JsonObject();
        JsonArray names = new JsonArray();
        names.add(IOCTL);
        rule.add("names", names);
        rule.addProperty("action", NOTIFY);
        JsonArray conditions = new JsonArray();
        conditions.add(Arguments.condition(Arguments.COMMAND, set));
        rule.add("args", conditions);
        return rule;
    }

    private void add(JsonPlace rule) {
        JsonPlace action = rule.required("action", "the name of an action");
        requireKnown(action);
        if (!isOnIoctl(rule)) {
            rules.add(rule.value());
            return;
        }
        others(rule).ifPresent(rules::add);
        OnIoctl ioctl = new OnIoctl(alone(rule), action.text(), Arguments.commands(rule));
        if (ioctl.permits()) {
            permit(ioctl);
        } else if (ioctl.meetsOurs()) {
            throw rule.invalid("no rule that refuses ioctls of heaps; add a condition on another command");
        } else {
            denying.add(ioctl);
            rules.add(ioctl.rule().value());
        }
    }

    private void permit(OnIoctl ioctl) {
        if (ioctl.action().equals(defaultAction)) {
            return; // a runtime ignores such a rule, and so the rule cannot be divided
        }
        if (!ioctl.meetsOurs()) {
            rules.add(ioctl.rule().value());
            return;
        }
        split.add(ioctl);
        notified = true;
        OURS.forEach(set -> ioctl.commands().and(set).ifPresent(both -> rules.add(ioctl.with(NOTIFY, both))));
        OTHERS.forEach(set -> ioctl.commands().and(set).ifPresent(both -> rules.add(ioctl.with(ioctl.action(), both))));
    }

    /** Before the change, a rule without conditions made the refusal void; after it, the order would decide. */
    private void requireSeparate() {
        for (OnIoctl refusal : denying) {
            for (OnIoctl permission : split) {
                if (refusal.commands().and(permission.commands()).isPresent()) {
                    throw refusal.rule()
                            .invalid("no refusal of an ioctl that "
                                    + permission.rule().path()
                                    + " permits, since libseccomp ignores one of them; remove one");
                }
            }
        }
    }

    private static void requireKnown(JsonPlace action) {
        String text = action.text();
        if (text.equals(NOTIFY)) {
            throw action.invalid("another action, since a container has only one listener");
        }
        if (!PERMITTING.contains(text) && !DENYING.contains(text)) {
            Set<String> known = new TreeSet<>(PERMITTING);
            known.addAll(DENYING);
            throw action.invalid("one of " + String.join(", ", known));
        }
    }

    /** {@return whether the rule names ioctl, in {@code names}, or in the older {@code name} of Docker} */
    private static boolean isOnIoctl(JsonPlace rule) {
        Optional<JsonPlace> name = rule.member("name");
        Optional<JsonPlace> names = rule.member("names");
        if (name.isPresent() == names.isPresent()) {
            throw rule.invalid("either names or name");
        }
        return name.isPresent()
                ? name.get().text().equals(IOCTL)
                : names.get().elements().stream().map(JsonPlace::text).toList().contains(IOCTL);
    }

    /** {@return the rule without ioctl; empty if it names only ioctl} */
    private static Optional<JsonObject> others(JsonPlace rule) {
        JsonArray left = new JsonArray();
        rule.member("names").map(JsonPlace::elements).orElse(List.of()).stream()
                .map(JsonPlace::value)
                .filter(name -> !name.getAsString().equals(IOCTL))
                .forEach(left::add);
        return left.isEmpty() ? Optional.empty() : Optional.of(with(rule, left));
    }

    /** {@return the rule for ioctl alone} */
    private static JsonPlace alone(JsonPlace rule) {
        JsonArray ioctl = new JsonArray();
        ioctl.add(IOCTL);
        JsonObject copy = rule.member("names").isPresent() ? with(rule, ioctl) : rule.object();
        return new JsonPlace(rule.file(), rule.path(), copy);
    }

    private static JsonObject with(JsonPlace rule, JsonArray names) {
        JsonObject copy = rule.object().deepCopy();
        copy.add("names", names);
        return copy;
    }
}
