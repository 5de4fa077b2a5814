import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Collections;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

/** Reads archives by their directory or from their front; prints names and contents in base64. */
public final class Archive {
    private Archive() {}

    public static void main(String[] arguments) {
        for (int n = 1; n < arguments.length; n++) {
            StringBuilder line = new StringBuilder("+");
            try {
                if (arguments[0].equals("directory")) {
                    readDirectory(Path.of(arguments[n]), line);
                } else {
                    readFront(Path.of(arguments[n]), line);
                }
                System.out.println(line);
            } catch (IOException | IllegalArgumentException refusal) {
                System.out.println("! " + refusal.getMessage());
            }
        }
    }

    private static void readDirectory(Path path, StringBuilder line) throws IOException {
        try (ZipFile archive = new ZipFile(path.toFile())) {
            for (ZipEntry entry : Collections.list(archive.entries())) {
                add(line, entry, archive.getInputStream(entry).readAllBytes());
            }
        }
    }

    private static void readFront(Path path, StringBuilder line) throws IOException {
        byte[] whole = Files.readAllBytes(path);
        try (ZipInputStream archive = new ZipInputStream(new ByteArrayInputStream(whole))) {
            for (ZipEntry entry = archive.getNextEntry(); entry != null; entry = archive.getNextEntry()) {
                add(line, entry, archive.readAllBytes());
            }
        }
    }

    private static void add(StringBuilder line, ZipEntry entry, byte[] content) {
        Base64.Encoder encoder = Base64.getEncoder();
        if (!entry.isDirectory()) {
            line.append(' ').append(encoder.encodeToString(entry.getName().getBytes()));
            line.append(' ').append(encoder.encodeToString(content));
        }
    }
}
