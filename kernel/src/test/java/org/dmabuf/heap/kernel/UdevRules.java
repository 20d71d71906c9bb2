// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Effect of a file of udev rules on the devices of this machine, which runs no udev. */
final class UdevRules {
    private static final Pattern RULE = Pattern.compile(
            "ACTION!=\"remove\", SUBSYSTEM==\"([^\"]+)\", (?:KERNEL==\"([^\"]+)\", )?RUN\\+=\"([^\"]+)\"");

    private UdevRules() {}

    /**
     * Runs the program of each rule for each device that the rule matches.
     *
     * @return the nodes of these devices
     */
    static List<Path> apply(String rules) throws Exception {
        List<Path> nodes = new ArrayList<>();
        for (String line : rules.lines().toList()) {
            if (line.isBlank() || line.startsWith("#")) {
                continue;
            }
            Matcher rule = RULE.matcher(line);
            if (!rule.matches()) {
                throw new AssertionError("a rule of another form: " + line);
            }
            for (Path node : nodes(rule.group(1), rule.group(2))) {
                GatewayProcess.run(
                        rule.group(3).replace("$devnode", node.toString()).split(" "));
                nodes.add(node);
            }
        }
        assertFalse(nodes.isEmpty(), rules);
        return nodes;
    }

    /** @param kernel name of the device, null for all of the subsystem */
    private static List<Path> nodes(String subsystem, String kernel) throws IOException {
        List<Path> nodes = new ArrayList<>();
        Path devices = Path.of("/sys/class", subsystem);
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(devices, kernel == null ? "*" : kernel)) {
            for (Path entry : entries) {
                String name = Files.readAllLines(entry.resolve("uevent")).stream()
                        .filter(line -> line.startsWith("DEVNAME="))
                        .findFirst()
                        .orElseThrow()
                        .substring("DEVNAME=".length());
                nodes.add(Path.of("/dev").resolve(name));
            }
        }
        return nodes;
    }
}
