// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.util.Map;
import org.dmabuf.heap.gateway.control.client.ControlClient;

/** Access to a running gateway, through the client in the jar of the bundle heap-gateway. */
final class Attachment {
    /** The property of etc/gateway.properties with the path of the control socket. */
    private static final String SETTING = "control.socket";

    private Attachment() {}

    /** Sets the path of the control socket: by the option, else by the setting, else by the folder. */
    static void applySocket(CommandLine line, Home home, Map<String, String> settings) {
        String set = settings.getOrDefault(SETTING, "");
        settings.put(SETTING, line.socket().orElse(set.isBlank() ? home.socket() : set));
    }

    /** {@return the exit status} */
    static int run(CommandLine line, Home home, InputStream in, Output out, PrintStream err) throws Failure {
        Map<String, String> settings = Settings.load(home.settings(), System.getProperties());
        applySocket(line, home, settings);
        try {
            int status = ask(line, new ControlClient(settings.get(SETTING), in, out, err));
            out.requireWhole();
            return status;
        } catch (NoClassDefFoundError e) {
            throw Failure.of(
                    home.bundles().resolve("heap-gateway.jar")
                            + " is missing; it has the client for a running gateway; restore it",
                    e);
        } catch (IOException e) {
            throw Failure.of("contacting the gateway failed: " + Sentence.of(e), e);
        }
    }

    private static int ask(CommandLine line, ControlClient client) throws IOException {
        if (line.action() == CommandLine.Action.STATUS) {
            return client.status(line.json());
        }
        if (line.command().isPresent()) {
            return client.command(line.command().get());
        }
        var terminal = System.console();
        return terminal != null && terminal.isTerminal() ? client.shell() : client.script();
    }
}
