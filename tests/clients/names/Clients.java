// Sends files by one of Java's HTTP clients: CLIENT URL FOLDER NAME...
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import okhttp3.MediaType;
import okhttp3.MultipartBody;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import org.apache.commons.httpclient.methods.PostMethod;
import org.apache.commons.httpclient.methods.multipart.FilePart;
import org.apache.commons.httpclient.methods.multipart.MultipartRequestEntity;
import org.apache.commons.httpclient.methods.multipart.Part;
import org.apache.http.client.methods.HttpPost;
import org.apache.http.entity.ContentType;
import org.apache.http.entity.mime.HttpMultipartMode;
import org.apache.http.entity.mime.MultipartEntityBuilder;
import org.apache.http.impl.client.HttpClients;
import org.springframework.core.io.FileSystemResource;
import org.springframework.http.HttpEntity;
import org.springframework.http.HttpHeaders;
import org.springframework.http.converter.FormHttpMessageConverter;
import org.springframework.util.LinkedMultiValueMap;
import org.springframework.web.client.RestTemplate;

public final class Clients {
    public static void main(String[] arguments) throws Exception {
        for (String name : Arrays.copyOfRange(arguments, 3, arguments.length)) {
            send(arguments[0], arguments[1], Path.of(arguments[2], name), name);
        }
        System.exit(0);
    }

    private static void send(String client, String url, Path path, String name) throws Exception {
        switch (client) {
            case "okhttp" -> {
                var file = RequestBody.create(MediaType.get("image/png"), path.toFile());
                var form = new MultipartBody.Builder().setType(MultipartBody.FORM).addFormDataPart("file", name, file).build();
                var request = new Request.Builder().url(url).header("Authorization", "Bearer TOKEN").post(form).build();
                new OkHttpClient().newCall(request).execute().close();
            }
            case "httpclient", "httpclient-rfc6532", "httpclient-browser" -> {
                var mode = switch (client) {
                    case "httpclient-rfc6532" -> HttpMultipartMode.RFC6532;
                    case "httpclient-browser" -> HttpMultipartMode.BROWSER_COMPATIBLE;
                    default -> HttpMultipartMode.STRICT;
                };
                var post = new HttpPost(url);
                post.setHeader("Authorization", "Bearer TOKEN");
                post.setEntity(MultipartEntityBuilder.create().setMode(mode).setCharset(StandardCharsets.UTF_8)
                    .addBinaryBody("file", path.toFile(), ContentType.IMAGE_PNG, name).build());
                HttpClients.createDefault().execute(post).close();
            }
            case "httpclient3" -> {
                var post = new PostMethod(url);
                post.setRequestHeader("Authorization", "Bearer TOKEN");
                var part = new FilePart("file", name, path.toFile(), "image/png", "UTF-8");
                post.setRequestEntity(new MultipartRequestEntity(new Part[] {part}, post.getParams()));
                new org.apache.commons.httpclient.HttpClient().executeMethod(post);
            }
            case "spring", "spring-charset" -> {
                var converter = new FormHttpMessageConverter();
                if (client.equals("spring-charset")) {
                    converter.setMultipartCharset(StandardCharsets.UTF_8);
                }
                var template = new RestTemplate();
                template.getMessageConverters().add(0, converter);
                var form = new LinkedMultiValueMap<String, Object>();
                form.add("file", new FileSystemResource(path.toFile()));
                var headers = new HttpHeaders();
                headers.set("Authorization", "Bearer TOKEN");
                template.postForObject(url, new HttpEntity<>(form, headers), String.class);
            }
            default -> throw new IllegalArgumentException(client);
        }
    }
}
