// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.dmabuf.heap.linux.socket.UserDatabase;

/**
 * Settings of {@code agent.properties}.
 *
 * @param gatewaySocket the gateway's socket for native programs
 * @param gatewayWait longest wait for a gateway that does not listen
 * @param gatewayTimeout longest wait for an answer of the gateway
 * @param runSocket socket for launchers, if any
 * @param runForAll whether every user may use it
 * @param runGroup otherwise, the id of the group that may use it; empty for the agent's own user and root
 * @param ociSocket socket for container runtimes, if any
 * @param ociUser id of the runtime's user
 * @param listeners most listeners
 * @param clientListeners most listeners of one client
 * @param calls most calls of one listener that wait for the gateway
 * @param nodes the nodes by their paths
 */
record AgentSettings(
        Path gatewaySocket,
        Duration gatewayWait,
        Duration gatewayTimeout,
        Optional<Path> runSocket,
        boolean runForAll,
        OptionalInt runGroup,
        Optional<Path> ociSocket,
        int ociUser,
        int listeners,
        int clientListeners,
        int calls,
        Map<String, Node> nodes) {

    private static final String NODE = "node.";
    private static final String EMULATED = "emulated";
    private static final String EVERY_USER = "*";
    private static final int LONGEST_PATH = 200;
    private static final Pattern BLANKS = Pattern.compile("\\s+");
    private static final Map<String, String> DEFAULTS = Map.of(
            "gateway.socket", "/run/dmaheap-gateway/native.socket",
            "gateway.wait", "5",
            "gateway.timeout", "30",
            "run.socket", "",
            "run.group", "",
            "oci.socket", "",
            "oci.runtime.uid", "0",
            "limit.listeners", "1024",
            "limit.client.listeners", "256",
            "limit.calls", "4");

    /** Reader of the values of one file, which names the file in its errors. */
    private record Values(Path file, Map<String, String> values) {
        String text(String name) {
            return values.getOrDefault(name, DEFAULTS.get(name));
        }

        Optional<Path> path(String name) throws InvalidSetting {
            String text = text(name);
            if (text.isEmpty()) {
                return Optional.empty();
            }
            if (!text.startsWith("/") || text.indexOf('\0') >= 0) {
                throw invalid(name, "an absolute path");
            }
            return Optional.of(Path.of(text));
        }

        int number(String name, int lowest, int highest) throws InvalidSetting {
            try {
                int number = Integer.parseInt(text(name));
                if (number >= lowest && number <= highest) {
                    return number;
                }
            } catch (NumberFormatException e) {
                // refused below
            }
            throw invalid(name, "a whole number from " + lowest + " to " + highest);
        }

        InvalidSetting invalid(String name, String expected) {
            return new InvalidSetting(
                    "invalid " + name + " = " + text(name) + " in " + file + ": expected " + expected);
        }
    }

    /**
     * Reads a file.
     *
     * @param users names of users and groups
     * @throws InvalidSetting for an unknown setting or an invalid value
     * @throws IOException when a file cannot be read
     */
    static AgentSettings load(Path file, UserDatabase users) throws InvalidSetting, IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file)) {
            properties.load(reader);
        } catch (IllegalArgumentException e) {
            throw new InvalidSetting("reading " + file + " failed: " + e.getMessage() + "; write \\\\ for a backslash");
        }
        Map<String, String> stated = new TreeMap<>();
        properties
                .stringPropertyNames()
                .forEach(name -> stated.put(name, properties.getProperty(name).strip()));
        return of(new Values(file, stated), users);
    }

    private static AgentSettings of(Values values, UserDatabase users) throws InvalidSetting, IOException {
        Map<String, Node> nodes = new TreeMap<>();
        for (String name : values.values().keySet()) {
            if (name.startsWith(NODE)) {
                Node node = node(name, values);
                nodes.put(node.path(), node);
            } else if (!DEFAULTS.containsKey(name)) {
                throw new InvalidSetting("unknown setting '" + name + "' in " + values.file() + ": expected one of "
                        + new TreeSet<>(DEFAULTS.keySet()) + " or node.PATH");
            }
        }
        if (nodes.isEmpty()) {
            throw new InvalidSetting("no node in " + values.file()
                    + ": expected at least one, such as node./dev/dma_heap/system = dma-heap system");
        }
        Optional<Path> run = values.path("run.socket");
        Optional<Path> oci = values.path("oci.socket");
        if (run.isEmpty() && oci.isEmpty()) {
            throw values.invalid("run.socket", "an absolute path, or one of oci.socket");
        }
        return new AgentSettings(
                values.path("gateway.socket").orElseThrow(() -> values.invalid("gateway.socket", "an absolute path")),
                Duration.ofSeconds(values.number("gateway.wait", 0, 3600)),
                Duration.ofSeconds(values.number("gateway.timeout", 1, 3600)),
                run,
                values.text("run.group").equals(EVERY_USER),
                group(values, users),
                oci,
                user(values, users),
                values.number("limit.listeners", 1, 100_000),
                values.number("limit.client.listeners", 1, 100_000),
                values.number("limit.calls", 1, 64),
                Map.copyOf(nodes));
    }

    private static int user(Values values, UserDatabase users) throws InvalidSetting, IOException {
        try {
            return users.userOf(values.text("oci.runtime.uid"));
        } catch (IllegalArgumentException e) {
            throw values.invalid("oci.runtime.uid", "the name or the number of a user");
        }
    }

    private static OptionalInt group(Values values, UserDatabase users) throws InvalidSetting, IOException {
        String group = values.text("run.group");
        try {
            return group.isEmpty() || group.equals(EVERY_USER)
                    ? OptionalInt.empty()
                    : OptionalInt.of(users.groupOf(group));
        } catch (IllegalArgumentException e) {
            throw values.invalid(
                    "run.group",
                    "the name or the number of a group, " + EVERY_USER + " for every user, or nothing for the agent's"
                            + " own user");
        }
    }

    private static Node node(String name, Values values) throws InvalidSetting {
        String path = name.substring(NODE.length());
        if (!path.matches("(/(?!\\.{1,2}(/|$))[^/\\p{Cntrl}]+)+") || path.length() > LONGEST_PATH) {
            throw new InvalidSetting("invalid setting '" + name + "' in " + values.file()
                    + ": expected node. and an absolute path of at most " + LONGEST_PATH + " characters");
        }
        String[] words = BLANKS.split(values.text(name));
        Optional<Abi> abi = Abi.named(words[0]);
        boolean named = abi.isPresent() && abi.get() != Abi.ION;
        int least = named ? 2 : 1;
        boolean emulated = words.length == least + 1 && words[least].equals(EMULATED);
        if (abi.isEmpty() || words.length != least && !emulated) {
            throw values.invalid(
                    name, "dma-heap HEAP, simple HEAP, or ion, with " + EMULATED + " after it to accept emulations");
        }
        return new Node(path, abi.get(), named ? words[1] : "", emulated);
    }
}
