// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * What is at the other end. The same bundles run either way, the shell's too, since its commands are wanted in scripts
 * as well; but only a person gets a terminal with an editor on it.
 */
enum Mode {
    /** A person: standard input and output are a terminal, and no command was given. */
    INTERACTIVE,

    /** One command, or a script on standard input. */
    BATCH,

    /** No user: neither standard input nor a terminal is read, and only a signal ends it. */
    DAEMON;

    static Mode of(CommandLine line) {
        if (line.action() == CommandLine.Action.DAEMON) {
            return DAEMON;
        }
        var terminal = System.console();
        return line.command().isEmpty() && terminal != null && terminal.isTerminal() ? INTERACTIVE : BATCH;
    }

    /**
     * Sets the properties that the shell's bundle and JLine below it read when they start. What the user has set stays.
     *
     * <p>A script and a service must keep standard input and Ctrl-C to themselves: they get JLine's dumb terminal,
     * which touches neither, and the shell opens no session. A person gets the terminal through JLine's native code in
     * Java, or by calling stty; JLine's other ways unpack a library into the folder for temporary files and leave it
     * there.
     */
    void applyToShell(Home home, Map<String, String> settings) {
        settings.put("gosh.home", home.folder().toString()); // where the shell finds etc/gosh_profile
        if (this == INTERACTIVE) {
            setIfAbsent("org.jline.terminal.providers", "ffm,exec");
            // The launcher stops the framework: Gogo would say that it does.
            settings.putIfAbsent("gosh.args", keepsHistory() ? "--noshutdown" : "--noshutdown --nohistory");
        } else {
            setIfAbsent("org.jline.terminal.provider", "dumb");
            settings.putIfAbsent("gosh.args", "--nointeractive --noshutdown");
        }
    }

    /** Gogo keeps what was typed in the user's home. Where it cannot, each line typed would log a failure. */
    private static boolean keepsHistory() {
        Path home = Path.of(System.getProperty("user.home"));
        Path history = home.resolve(".gogo.history");
        return Files.isWritable(Files.exists(history) ? history : home);
    }

    /** Tells the control bundle whether this gateway stays, so that clients have something to look into. */
    void applyToControl(Map<String, String> settings) {
        settings.put("control.open", Boolean.toString(this != BATCH));
    }

    /** Sets log levels. A user at a prompt wants results and, of the log, what went wrong. */
    void applyToLog(boolean verbose) {
        if (verbose) {
            setIfAbsent("org.slf4j.simpleLogger.log.org.dmabuf", "debug");
            setIfAbsent("org.slf4j.simpleLogger.defaultLogLevel", "info");
        } else if (this != DAEMON) {
            setIfAbsent("org.slf4j.simpleLogger.log.org.dmabuf", "warn");
        }
    }

    private static void setIfAbsent(String property, String value) {
        System.getProperties().putIfAbsent(property, value);
    }
}
