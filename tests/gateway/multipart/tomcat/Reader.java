import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.apache.catalina.core.ApplicationPart;
import org.apache.coyote.Request;
import org.apache.tomcat.util.http.fileupload.FileItem;
import org.apache.tomcat.util.http.fileupload.FileUpload;
import org.apache.tomcat.util.http.fileupload.UploadContext;
import org.apache.tomcat.util.http.fileupload.disk.DiskFileItemFactory;

/**
 * Reads forms as Tomcat's Request.getParts does: a line has a charset, a Content-Type and a body, all
 * in base64. Without a charset that of the Content-Type counts, as without Spring's filter.
 *
 * The answer's line begins with `+`, then each part's name, filename (`-` where there is none) and
 * bytes, in base64; or with `!` where Tomcat refuses the form, then the exception's name.
 */
public final class Reader {
    public static void main(String[] arguments) throws IOException {
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        var output = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
        for (String line; (line = input.readLine()) != null; ) {
            var words = line.split(" ", -1);
            output.println(read(new Form(decoded(words[0]), decoded(words[1]), decoded(words[2]))));
            output.flush();
        }
    }

    private static String read(Form form) {
        var upload = new FileUpload();
        upload.setFileItemFactory(new DiskFileItemFactory());
        upload.setPartHeaderSizeMax(10_000);
        var answer = new StringBuilder("+");
        try {
            for (FileItem item : upload.parseRequest(form)) {
                var part = new ApplicationPart(item, null);
                answer.append(' ').append(encoded(part.getName()));
                answer.append(' ').append(encoded(item.isFormField() ? null : part.getSubmittedFileName()));
                answer.append(' ').append(Base64.getEncoder().encodeToString(item.get()));
            }
        } catch (Exception error) {
            return "! " + error.getClass().getSimpleName();
        }
        return answer.toString();
    }

    private static byte[] decoded(String word) {
        return Base64.getDecoder().decode(word);
    }

    private static String encoded(String text) {
        return text == null ? "-" : Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    /** A request, whose headers are ISO-8859-1 to Tomcat. */
    private record Form(byte[] charset, byte[] type, byte[] body) implements UploadContext {
        @Override
        public String getCharacterEncoding() {
            if (charset.length > 0) {
                return new String(charset, StandardCharsets.US_ASCII);
            }
            var request = new Request();
            request.getMimeHeaders().setValue("Content-Type").setString(getContentType());
            return request.getCharacterEncoding();
        }

        @Override
        public String getContentType() {
            return new String(type, StandardCharsets.ISO_8859_1);
        }

        @Override
        public long contentLength() {
            return body.length;
        }

        @Override
        public InputStream getInputStream() {
            return new ByteArrayInputStream(body);
        }
    }
}
