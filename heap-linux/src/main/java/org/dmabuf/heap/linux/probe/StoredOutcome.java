// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import java.time.LocalDate;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.ProbeOutcome;

/**
 * Outcome of one trial with everything on which it depends, as one line of a file.
 *
 * @param device path of the device file
 * @param driver its name
 * @param fingerprint of the driver's state
 * @param release of the kernel
 * @param heap that made the buffer
 * @param size bytes that the device needed
 * @param format of the device
 * @param isOneRun whether the heap guarantees one physical run for this size
 * @param outcome the device's answer
 * @param date of the trial, in UTC
 */
record StoredOutcome(
        String device,
        String driver,
        String fingerprint,
        String release,
        String heap,
        long size,
        String format,
        boolean isOneRun,
        ProbeOutcome outcome,
        LocalDate date) {
    private static final String SEPARATOR = "\t";
    private static final int FIELDS = 10;
    private static final String ONE_RUN = "contiguous";
    private static final String PIECES = "pieces";

    StoredOutcome {
        device = Printable.of(device);
        driver = Printable.of(driver);
        release = Printable.of(release);
        heap = Printable.of(heap);
        format = Printable.of(format);
    }

    /** Everything on which an outcome depends. A later outcome with the same key replaces an earlier one. */
    record Key(
            String device, String driver, String fingerprint, String release, String heap, long size, String format) {}

    Key key() {
        return new Key(device, driver, fingerprint, release, heap, size, format);
    }

    boolean isOfNode(String node) {
        return device.equals(Printable.of(node));
    }

    /** {@return whether it holds for a device in its present state} */
    boolean isOf(DeviceEntry entry) {
        return isOfNode(entry.node())
                && release.equals(Printable.of(entry.release()))
                && driver.equals(Printable.of(entry.driver()))
                && fingerprint.equals(entry.fingerprint());
    }

    /** {@return whether it proves the same as another outcome of the same key} */
    boolean provesSameAs(StoredOutcome other) {
        return other != null && outcome.equals(other.outcome) && isOneRun == other.isOneRun;
    }

    boolean isRefusalOfPieces() {
        return !isOneRun && outcome.number().orElse(0) == Errno.EFAULT.number();
    }

    boolean isAcceptanceOfOneRun() {
        return isOneRun && outcome.result() == ProbeOutcome.Result.ACCEPTED;
    }

    /** {@return whether another outcome is of the same size and format} */
    boolean isTrialLike(StoredOutcome other) {
        return size == other.size && format.equals(other.format);
    }

    /** {@return the reason of a demand} */
    String why() {
        return outcome + " on " + date + ", " + trial();
    }

    /** {@return the reason of a demand for contiguous memory, from this refusal and an acceptance} */
    String comparedWith(StoredOutcome accepted) {
        return "pieces of heap " + heap + " were refused with EFAULT, and one run of heap " + accepted.heap
                + " was accepted on " + accepted.date + ", " + trial();
    }

    private String trial() {
        return format + ", " + size + " bytes";
    }

    /** {@return its line in the file, which {@link #parse} reads} */
    String line() {
        String result = switch (outcome.result()) {
            case REFUSED ->
                "refused " + outcome.number().getAsInt() + " "
                        + Printable.of(outcome.operation().orElseThrow());
            case BOUNCED -> "bounced " + outcome.bouncedBytes().getAsLong();
            case ACCEPTED -> "accepted " + outcome.isBounceObservable();
            case ATTACHED -> "attached";
        };
        return String.join(
                SEPARATOR,
                device,
                driver,
                fingerprint,
                release,
                heap,
                Long.toString(size),
                format,
                isOneRun ? ONE_RUN : PIECES,
                result,
                date.toString());
    }

    /** {@return the outcome of a line; empty for a damaged one} */
    static Optional<StoredOutcome> parse(String line) {
        String[] fields = line.split(SEPARATOR, -1);
        if (fields.length != FIELDS
                || fields[4].isEmpty()
                || !List.of(ONE_RUN, PIECES).contains(fields[7])) {
            return Optional.empty();
        }
        try {
            return Optional.of(new StoredOutcome(
                    fields[0],
                    fields[1],
                    fields[2],
                    fields[3],
                    fields[4],
                    Long.parseLong(fields[5]),
                    fields[6],
                    fields[7].equals(ONE_RUN),
                    outcome(fields[8].split(" ", 3)),
                    LocalDate.parse(fields[9])));
        } catch (IllegalArgumentException | DateTimeParseException e) {
            return Optional.empty();
        }
    }

    private static ProbeOutcome outcome(String... words) {
        return switch (words[0] + " " + words.length) {
            case "refused 3" -> ProbeOutcome.refused(Printable.of(words[2]), Integer.parseInt(words[1]));
            case "bounced 2" -> ProbeOutcome.bounced(Long.parseLong(words[1]));
            case "accepted 2" -> ProbeOutcome.accepted(words[1].equals("true"));
            default -> throw new IllegalArgumentException();
        };
    }
}
