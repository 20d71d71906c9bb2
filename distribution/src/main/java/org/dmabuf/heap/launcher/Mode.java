// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Mode of the gateway: with a person at a terminal, or for a script or a service. All modes run the same bundles,
 * including the shell's, since scripts use its commands too. Only a person gets a terminal with a line editor.
 */
enum Mode {
    /** Interactive: standard input and output are a terminal, and no command was given. */
    INTERACTIVE,

    /** One command, or a script on standard input. */
    BATCH,

    /** Service: it reads neither standard input nor a terminal, and only a signal ends it. */
    DAEMON;

    static Mode of(CommandLine line) {
        if (line.action() == CommandLine.Action.DAEMON) {
            return DAEMON;
        }
        var terminal = System.console();
        return line.command().isEmpty() && terminal != null && terminal.isTerminal() ? INTERACTIVE : BATCH;
    }

    /**
     * Sets the properties that the shell's bundle and JLine read when they start. Settings of the user stay.
     *
     * <p>A script and a service must keep standard input and Ctrl-C for themselves. They get JLine's dumb terminal,
     * which uses neither, and the shell opens no session. A person gets a terminal through JLine's native code in Java,
     * or by calls of stty. JLine's other methods unpack a library into the folder for temporary files and leave it
     * there.
     */
    void applyToShell(Map<String, String> settings) {
        if (this == INTERACTIVE) {
            setIfAbsent("org.jline.terminal.providers", "ffm,exec");
            // The launcher stops the framework; without this option Gogo would print a message about it.
            settings.putIfAbsent("gosh.args", keepsHistory() ? "--noshutdown" : "--noshutdown --nohistory");
        } else {
            setIfAbsent("org.jline.terminal.provider", "dumb");
            settings.putIfAbsent("gosh.args", "--nointeractive --noshutdown");
        }
    }

    /** Gogo keeps the history in the user's home. If it cannot write there, each typed line would log a failure. */
    private static boolean keepsHistory() {
        Path home = Path.of(System.getProperty("user.home"));
        Path history = home.resolve(".gogo.history");
        return Files.isWritable(Files.exists(history) ? history : home);
    }

    /** Sets for the control bundle whether this gateway runs long enough for clients to attach. */
    void applyToControl(Map<String, String> settings) {
        settings.put("control.open", Boolean.toString(this != BATCH));
    }

    /** Whether configurations that bundles set are kept. A command or a script must not change those of a service. */
    boolean keepsConfigurations() {
        return this != BATCH;
    }

    /**
     * Sets log levels. A user at a prompt wants results and only the warnings and errors of the log. The file sets the
     * rest; slf4j-simple reads all of it from system properties, at the first use of a logger.
     */
    void applyToLog(boolean verbose, Path file) throws Failure {
        if (verbose) {
            setIfAbsent("org.slf4j.simpleLogger.log.org.dmabuf", "debug");
            setIfAbsent("org.slf4j.simpleLogger.defaultLogLevel", "info");
        } else if (this != DAEMON) {
            setIfAbsent("org.slf4j.simpleLogger.log.org.dmabuf", "warn");
        }
        if (Files.exists(file)) {
            Settings.load(file, System.getProperties()).forEach(System::setProperty);
        }
    }

    private static void setIfAbsent(String property, String value) {
        System.getProperties().putIfAbsent(property, value);
    }
}
