// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import com.google.gson.FormattingStyle;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.List;

/**
 * Settings of a container: the {@code config.json} of the OCI runtime specification, or a seccomp profile alone, in the
 * form of the specification or of Docker. Members that this class does not know stay, and so does the order.
 *
 * <p>Immutable.
 */
public final class OciProfile {
    private static final Gson PRINTER = new GsonBuilder()
            .disableHtmlEscaping()
            .serializeNulls()
            .setFormattingStyle(FormattingStyle.PRETTY)
            .create();

    /**
     * Architectures of a filter that a container without a profile gets. libseccomp kills programs of all others, and
     * runc 1.1 refuses names that it does not know.
     */
    private static final List<String> ARCHITECTURES =
            List.of("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM");

    private static final String LISTENER = "listenerPath";
    private static final String METADATA = "listenerMetadata";

    private final JsonPlace root;

    private OciProfile(JsonPlace root) {
        this.root = root;
    }

    /**
     * Reads settings.
     *
     * @param file name of the file, for messages
     * @param text its content
     * @return the settings
     * @throws IllegalArgumentException if it is not a JSON object
     */
    public static OciProfile parse(String file, String text) {
        JsonPlace root = JsonPlace.parse(file, text);
        root.object();
        return new OciProfile(root);
    }

    /**
     * Returns settings with which a container's ioctls of heaps go to a listener.
     *
     * @param listener the listener; its nodes are used only for a {@code config.json}
     * @return changed settings
     * @throws IllegalArgumentException with a sentence if these settings cannot be changed so
     */
    public OciProfile withListener(Listener listener) {
        JsonPlace copy = new JsonPlace(root.file(), "", root.value().deepCopy());
        if (copy.member("defaultAction").isPresent()) {
            addListener(copy, listener);
        } else if (copy.member("ociVersion").isPresent()) {
            JsonPlace linux = copy.required("linux", "the settings of a container on Linux");
            addListener(linux.member("seccomp").orElseGet(() -> withoutRules(linux)), listener);
            addNodes(linux, listener.nodes());
        } else {
            throw new IllegalArgumentException("invalid " + root.file() + ": expected a config.json with ociVersion,"
                    + " or a seccomp profile with defaultAction");
        }
        return new OciProfile(copy);
    }

    private static JsonPlace withoutRules(JsonPlace linux) {
        JsonObject seccomp = new JsonObject();
        seccomp.addProperty("defaultAction", "SCMP_ACT_ALLOW");
        JsonArray architectures = new JsonArray();
        ARCHITECTURES.forEach(architectures::add);
        seccomp.add("architectures", architectures);
        linux.object().add("seccomp", seccomp);
        return linux.required("seccomp", "a profile");
    }

    private static void addListener(JsonPlace seccomp, Listener listener) {
        for (String name : List.of(LISTENER, METADATA)) {
            if (seccomp.member(name).isPresent()) {
                throw seccomp.member(name).get().invalid("no listener, since a container has only one");
            }
        }
        JsonArray rules = IoctlRules.of(seccomp);
        JsonObject profile = seccomp.object();
        profile.addProperty(LISTENER, listener.socket());
        listener.metadata().ifPresent(name -> profile.addProperty(METADATA, name));
        profile.add("syscalls", rules);
    }

    private static void addNodes(JsonPlace linux, List<String> nodes) {
        if (linux.member("devices").isEmpty()) {
            linux.object().add("devices", new JsonArray());
        }
        JsonPlace devices = linux.required("devices", "an array");
        for (String node : nodes) {
            JsonObject placeholder = placeholder(node);
            if (devices.elements().stream().noneMatch(device -> isSame(device, placeholder))) {
                devices.value().getAsJsonArray().add(placeholder);
            }
        }
    }

    /** {@return a node of the null device, which the listener knows by its path} */
    private static JsonObject placeholder(String path) {
        JsonObject device = new JsonObject();
        device.addProperty("path", path);
        device.addProperty("type", "c");
        device.addProperty("major", 1);
        device.addProperty("minor", 3);
        device.addProperty("fileMode", 0666);
        device.addProperty("uid", 0);
        device.addProperty("gid", 0);
        return device;
    }

    private static boolean isSame(JsonPlace device, JsonObject placeholder) {
        if (!device.required("path", "a path").value().equals(placeholder.get("path"))) {
            return false;
        }
        for (String name : List.of("type", "major", "minor")) {
            JsonElement value = placeholder.get(name);
            if (!value.equals(device.object().get(name))) {
                throw device.invalid("the null device {c, 1, 3}, which stands for a heap");
            }
        }
        return true;
    }

    /** {@return the settings as JSON of several lines} */
    @Override
    public String toString() {
        return PRINTER.toJson(root.value());
    }
}
