// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.channels.Channels;
import java.nio.file.AccessDeniedException;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.felix.gogo.jline.Procedural;
import org.apache.felix.gogo.runtime.CommandProcessorImpl;
import org.apache.felix.service.command.Process;
import org.dmabuf.heap.gateway.control.wire.Frame;
import org.dmabuf.heap.gateway.control.wire.FrameReader;
import org.dmabuf.heap.gateway.control.wire.Request;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GogoCommandTest {
    private final ByteArrayOutputStream sent = new ByteArrayOutputStream();
    private final Outbox outbox = new Outbox(Channels.newChannel(sent));
    private final Inbox in = new Inbox(outbox);
    private final CommandProcessorImpl processor = new CommandProcessorImpl();
    private GogoCommand command;

    /** Commands with the names of these methods. */
    public final class Verbs {
        private final CountDownLatch said = new CountDownLatch(1);
        private Thread worker;

        /** {@return the argument} */
        public String say(String word) {
            said.countDown();
            return word;
        }

        /** {@return true, which continues a loop} */
        public boolean again() {
            return true;
        }

        /** Prints without end and ignores errors of the stream. */
        public void gush() {
            PrintStream to = Process.Utils.current().out();
            said.countDown();
            while (again()) {
                to.println("more");
            }
        }

        private void work() {
            try {
                dismissed.await();
            } catch (InterruptedException e) {
                disturbed = true;
            }
        }

        /** Starts a thread that outlives the command, like a bundle or the broker at its first use. */
        public void hire() {
            worker = new Thread(this::work, "worker");
            worker.start();
        }

        /** Behaves like the launcher's command. */
        public void leave(int status) {
            command.exit(status);
        }

        /** Fails with an Error. */
        public void overflow() {
            throw new StackOverflowError();
        }

        /** Fails with an exception of the file system. */
        public void forbidden() throws IOException {
            throw new AccessDeniedException("/a file");
        }
    }

    private final CountDownLatch dismissed = new CountDownLatch(1);
    private volatile boolean disturbed;
    private final Verbs verbs = new Verbs();

    GogoCommandTest() {
        processor.addCommand("gogo", new Procedural(), "while");
        for (String name : new String[] {"say", "again", "gush", "hire", "leave", "overflow", "forbidden"}) {
            processor.addCommand("test", verbs, name);
        }
    }

    @AfterEach
    void stop() {
        processor.stop();
    }

    @Test
    void each_line_of_a_script_prints_its_result() throws IOException {
        assertEquals(0, run(Request.Verb.SCRIPT, "say one\n\nsay two\r\nsay three"));
        assertEquals("OUTPUT one\nOUTPUT two\nOUTPUT three\n", printed());
    }

    @Test
    void the_line_that_fails_is_named_and_ends_the_script() throws IOException {
        assertEquals(1, run(Request.Verb.SCRIPT, "say one\nnosuch\nsay two\n"));
        assertEquals("OUTPUT one\nERROR line 2: Command not found: nosuch\n", printed());
    }

    @Test
    void exit_ends_the_script() throws IOException {
        assertEquals(3, run(Request.Verb.SCRIPT, "leave 3\nsay two\n"));
        assertEquals("", printed());
    }

    @Test
    void an_empty_script_succeeds() throws IOException {
        assertEquals(0, run(Request.Verb.SCRIPT, ""));
        assertEquals("", printed());
    }

    @Test
    void a_line_of_several_commands_is_run_as_one() throws IOException {
        assertEquals(0, run(Request.Verb.COMMAND, "say one\nsay two"));
        assertEquals("OUTPUT two\n", printed());
    }

    @Test
    void an_error_of_java_is_reported() throws IOException {
        assertEquals(1, run(Request.Verb.COMMAND, "overflow"));
        assertEquals("ERROR StackOverflowError\n", printed());
    }

    @Test
    void a_path_is_reported_with_its_error() throws IOException {
        assertEquals(1, run(Request.Verb.COMMAND, "forbidden"));
        assertEquals("ERROR permission denied: /a file\n", printed());
    }

    @Test
    void an_endless_loop_ends_when_the_client_has_hung_up() throws InterruptedException {
        endsAtHangUp("while { again } { say x }");
    }

    @Test
    void endless_output_ends_when_the_client_has_hung_up() throws InterruptedException {
        endsAtHangUp("gush");
    }

    @Test
    void a_thread_that_a_command_started_is_not_interrupted_at_the_hang_up() throws InterruptedException {
        endsAtHangUp("hire\ngush");
        assertTrue(verbs.worker.isAlive(), "the worker continues");
        dismissed.countDown();
        verbs.worker.join();
        assertFalse(disturbed);
    }

    private void endsAtHangUp(String line) throws InterruptedException {
        Session session = new Session(
                Request.of(Request.Verb.COMMAND, line),
                "user",
                command(Request.Verb.COMMAND, line),
                in,
                outbox,
                _ -> {});
        session.start();
        verbs.said.await();
        session.hangUp();
        while (Thread.getAllStackTraces().keySet().stream().anyMatch(GogoCommandTest::isOfSession)) {
            Thread.sleep(10); // the test times out when Gogo's threads do not end
        }
    }

    private static boolean isOfSession(Thread thread) {
        return thread.getThreadGroup() instanceof SessionThreads
                && !thread.getName().equals("worker");
    }

    private int run(Request.Verb verb, String text) {
        try {
            return command(verb, text).run();
        } finally {
            command.end();
        }
    }

    private GogoCommand command(Request.Verb verb, String text) {
        SessionSettings settings = new SessionSettings(Map.of("SCOPE", "test:gogo:*"), Optional.empty());
        command = new GogoCommand(processor, settings, Request.of(verb, text), in, outbox);
        return command;
    }

    private String printed() throws IOException {
        outbox.end();
        outbox.run();
        StringBuilder frames = new StringBuilder();
        FrameReader reader = new FrameReader(Channels.newChannel(new ByteArrayInputStream(sent.toByteArray())));
        for (Optional<Frame> frame = reader.read(); frame.isPresent(); frame = reader.read()) {
            frames.append(frame.get().type()).append(' ').append(frame.get().text());
        }
        return frames.toString();
    }
}
